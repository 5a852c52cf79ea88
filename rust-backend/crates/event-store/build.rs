//! A new migration is embedded although no Rust file changed.

fn main() {
    println!("cargo:rerun-if-changed=../../../database/migrations");
}
