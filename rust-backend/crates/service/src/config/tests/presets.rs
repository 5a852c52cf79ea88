//! The chains that are built in.

use std::collections::BTreeSet;

use super::*;

fn with_preset(more: &str) -> ChainSettings {
    let text = format!("[[chains]]\nrpc_urls = [\"https://rpc.example.org/\"]\n{more}\n");
    with_file(&text).expect("settings").chains.remove(0)
}

#[test]
fn what_is_built_in_is_consistent() {
    let all = presets().expect("what is built in");
    assert_eq!(all.iter().filter(|preset| !preset.is_testnet).count(), 25);
    let names: BTreeSet<_> = all.iter().map(|preset| preset.name.as_str()).collect();
    let titles: BTreeSet<_> = all.iter().map(|preset| preset.title.as_str()).collect();
    let ids: BTreeSet<_> = all.iter().map(|preset| preset.id.0).collect();
    assert_eq!((names.len(), titles.len(), ids.len()), (all.len(), all.len(), all.len()));
    for preset in &all {
        let address = |address: Option<ContractAddress>| address.expect("one").checksummed();
        let (identity, reputation) = if preset.is_testnet {
            let reputation = "0x8004B663056A597Dffe9eCcC1965A193B7388713";
            ("0x8004A818BFB912233c491871b3d84c89A494BD9e", reputation)
        } else {
            let reputation = "0x8004BAa17C55a88189AE136b182e5fdA19dE9b63";
            ("0x8004A169FB4a3325136EB29fA0ceB6D2e539a432", reputation)
        };
        assert_eq!(address(preset.registries.identity), identity, "{}", preset.name);
        assert_eq!(address(preset.registries.reputation), reputation, "{}", preset.name);
        assert_eq!(preset.registries.validation, None, "announced nowhere");
        let explorer = preset.explorer.as_deref().expect("an explorer");
        let url = Endpoint::parse(explorer).expect("a URL");
        assert!(url.expose().scheme() == "https" && !explorer.ends_with('/'), "{explorer}");
    }
    let known = all.iter().filter_map(|preset| Some((preset.id.0, preset.first_block()?)));
    let known: BTreeMap<_, _> = known.collect();
    let expected = [
        (1, 24_339_924),
        (56, 79_031_671),
        (97, 77_785_485),
        (137, 82_458_528),
        (143, 52_952_898),
        (8_453, 41_663_799),
        (10_143, 10_392_352),
        (84_532, 37_174_254),
        (11_155_111, 9_980_000),
    ];
    assert_eq!(known, BTreeMap::from(expected));
}

#[test]
fn addresses_are_written_with_their_checksums() {
    let text = include_str!("../../../chains.toml");
    let addresses = text.lines().filter_map(|line| line.split_once("= \"0x"));
    for (_, digits) in addresses.clone() {
        let written = format!("0x{}", digits.trim_end_matches('"'));
        let address: ContractAddress = written.parse().expect("an address");
        assert_eq!(address.checksummed(), written);
    }
    assert_eq!(addresses.count(), 6);
}

#[test]
fn every_preset_needs_nothing_but_urls() {
    for preset in presets().expect("what is built in") {
        let chain = with_preset(&format!("preset = {:?}", preset.name));
        assert_eq!((&chain.name, chain.id), (&preset.name, preset.id));
        assert_eq!(chain.registries, preset.registries);
        let start = preset.first_block().map(StartBlock::At);
        let unknown = StartBlock::Unknown { deployed_after: Some(1_767_225_600) };
        assert_eq!(chain.start_block, start.unwrap_or(unknown), "{}", chain.name);
        assert_eq!((chain.finality_depth, chain.indexed), (None, true));
    }
}

#[test]
fn ones_own_settings_win_over_a_presets() {
    let chain = with_preset(
        "preset = \"base\"\nname = \"mine\"\nid = 5\nstart_block = 7\nfinality_depth = 3\n\
         registries = { identity = \"0x8004a818bfb912233c491871b3d84c89a494bd9e\" }",
    );
    assert_eq!((chain.name.as_str(), chain.id.0), ("mine", 5));
    assert_eq!((chain.start_block, chain.finality_depth), (StartBlock::At(7), Some(3)));
    let identity = chain.registries.identity.map(|address| address.to_string());
    assert_eq!(identity.as_deref(), Some("0x8004a818bfb912233c491871b3d84c89a494bd9e"));
    assert_eq!(chain.registries.reputation, None);
}

#[test]
fn a_known_first_block_is_that_of_the_registries_that_are_read() {
    let start = |registries: &str| {
        with_preset(&format!("preset = \"base\"\nregistries = {{ {registries} }}")).start_block
    };
    let identity = "identity = \"0x8004A169FB4a3325136EB29fA0ceB6D2e539a432\"";
    let reputation = "reputation = \"0x8004BAa17C55a88189AE136b182e5fdA19dE9b63\"";
    let reserved = "validation = \"0x8004Cc8439f36fd5F9F049D9fF86523Df6dAAB58\"";
    let other = "validation = \"0x00000000000000000000000000000000000000a1\"";
    assert_eq!(start(identity), StartBlock::At(41_663_799));
    assert_eq!(start(&format!("{identity}, {reserved}")), StartBlock::At(41_663_799));
    let late = StartBlock::Unknown { deployed_after: Some(1_767_225_600) };
    assert_eq!(start(reserved), late);
    assert_eq!(start(reputation), StartBlock::At(41_663_801));
    let unknown = StartBlock::Unknown { deployed_after: None };
    assert_eq!(start(&format!("{identity}, {other}")), unknown);
}

#[test]
fn an_unknown_preset_is_refused_with_the_one_that_was_meant() {
    let refused = |more: &str| {
        refused_file(&format!("[[chains]]\nrpc_urls = [\"https://rpc.example.org/\"]\n{more}\n"))
    };
    let error = refused("preset = \"bsae\"");
    let said = "agentauri.toml:3:10: chains[0].preset: is no chain that is built in; did you mean \
                \"base\"? `agentauri chains list` names them all";
    assert_eq!(error, said);
    let of_another = with_preset("preset = \"base\"\nid = 5");
    assert_eq!(of_another.start_block, StartBlock::At(0), "the preset's is of another chain");
    let error = refused("preset = 1");
    assert!(error.contains("chains[0].preset: is an integer, and has to be a string"), "{error}");
    let twice = "preset = \"base\"\n[[chains]]\nrpc_urls = [\"https://a/\"]\npreset = \"base\"";
    let error = refused(twice);
    assert_eq!(error, "agentauri.toml:6:10: chains[1].preset: \"base\" is there twice");
}
