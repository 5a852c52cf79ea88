use super::*;

#[test]
fn a_directory_has_one_owner_at_a_time() {
    let parent = PrivateDirectory::temporary().expect("a folder");
    let path = parent.path().join("mine");
    let first = PrivateDirectory::at(&path).expect("ours");
    let error = PrivateDirectory::at(&path).expect_err("taken");
    let expected = format!("{} is in use by process {}", path.display(), std::process::id());
    assert_eq!(error.to_string(), expected);

    let clone = first.clone();
    drop(first);
    assert!(PrivateDirectory::at(&path).is_err(), "a clone still holds it");
    drop(clone);
    assert!(PrivateDirectory::at(&path).is_ok());
}

#[test]
fn data_lies_in_a_working_directory_that_servers_can_reach() {
    let near = PrivateDirectory::temporary().expect("a folder");
    let account = near.account();
    assert_eq!(place(near.path(), account), near.path().join(".agentauri"));
}

#[test]
fn a_closed_or_deep_working_directory_has_its_data_elsewhere() {
    let stranger = Some(SystemAccount { uid: 54_321, gid: 54_321 });
    let closed = tempfile::tempdir().expect("a folder");
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).expect("permissions");
    let far = place(closed.path(), stranger);
    assert!(far.starts_with("/var/tmp"), "{}", far.display());
    assert_eq!(far, place(closed.path(), stranger), "the same each time");

    let deep = closed.path().join("x".repeat(100));
    assert!(place(&deep, None).starts_with("/var/tmp"));
    assert_ne!(place(&deep, None), far);
    assert!(place(&closed.path().join("a,b"), None).starts_with("/var/tmp"));
}

#[test]
fn a_folder_that_somebody_else_prepared_is_refused() {
    let parent = tempfile::tempdir().expect("a folder");
    let open = parent.path().join("open");
    fs::create_dir(&open).expect("a folder");
    fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("permissions");
    let error = make_owned(&open, current_uid(), 0o700).expect_err("open to all");
    assert!(error.to_string().ends_with("can be written to by others; remove it"), "{error}");

    let link = parent.path().join("link");
    std::os::unix::fs::symlink("/", &link).expect("a link");
    let error = make_owned(&link, current_uid(), 0o700).expect_err("a link");
    assert!(error.to_string().ends_with("is not a folder"), "{error}");

    let error = make_owned(parent.path(), 54_321, 0o700).expect_err("not theirs");
    assert!(error.to_string().contains("belongs to user"), "{error}");
}

#[test]
fn a_temporary_directory_goes_with_its_last_clone() {
    let directory = PrivateDirectory::temporary().expect("a folder");
    let path = directory.path().to_owned();
    let clone = directory.clone();
    drop(directory);
    assert!(path.exists());
    drop(clone);
    assert!(!path.exists());
}
