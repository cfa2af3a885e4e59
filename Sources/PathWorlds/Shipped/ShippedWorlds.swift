/// The worlds that ship with the program (`datasets/worlds`).
public enum ShippedWorlds {
    /// Their names and texts, in the order of lists.
    static let texts: [(name: String, text: [UInt8])] = [
        ("S1", PackageResources.S1_toml),
        ("S2", PackageResources.S2_toml),
        ("S3", PackageResources.S3_toml),
        ("S4", PackageResources.S4_toml),
        ("S6", PackageResources.S6_toml),
        ("blackhole_one_way", PackageResources.blackhole_one_way_toml),
        ("flap", PackageResources.flap_toml),
        ("zombie", PackageResources.zombie_toml),
        ("dead_zone", PackageResources.dead_zone_toml),
        ("reorder_10", PackageResources.reorder_10_toml),
        ("three_paths", PackageResources.three_paths_toml),
        ("eight_paths", PackageResources.eight_paths_toml),
        ("baseline", PackageResources.baseline_toml),
        ("rtt_40", PackageResources.rtt_40_toml),
        ("rtt_70", PackageResources.rtt_70_toml),
        ("rtt_120", PackageResources.rtt_120_toml),
        ("rtt_320", PackageResources.rtt_320_toml),
        ("jit_5", PackageResources.jit_5_toml),
        ("jit_20", PackageResources.jit_20_toml),
        ("loss_05", PackageResources.loss_05_toml),
        ("loss_2", PackageResources.loss_2_toml),
        ("bw_4to1", PackageResources.bw_4to1_toml),
        ("bw_10to1", PackageResources.bw_10to1_toml),
        ("dual_lte", PackageResources.dual_lte_toml),
        ("fiber_lte", PackageResources.fiber_lte_toml),
        ("lte_starlink", PackageResources.lte_starlink_toml),
        ("lte_geo", PackageResources.lte_geo_toml),
        ("congested", PackageResources.congested_toml),
        ("agg_300_80", PackageResources.agg_300_80_toml),
        ("sym_100x2", PackageResources.sym_100x2_toml),
        ("home_starlink_lte", PackageResources.home_starlink_lte_toml),
        ("van_starlink_two_lte", PackageResources.van_starlink_two_lte_toml),
        ("drive_three_operators", PackageResources.drive_three_operators_toml),
        ("dsl_5g_bulk", PackageResources.dsl_5g_bulk_toml),
        ("train", PackageResources.train_toml),
        ("adversary", PackageResources.adversary_toml),
        ("rank_steps", PackageResources.rank_steps_toml),
        ("symmetric", PackageResources.symmetric_toml),
        ("single_path", PackageResources.single_path_toml),
        ("metered_lte", PackageResources.metered_lte_toml),
        ("shared_20", PackageResources.shared_20_toml),
        ("bloat_fq_codel", PackageResources.bloat_fq_codel_toml),
        ("wifi_airtime", PackageResources.wifi_airtime_toml),
        ("starlink_slots", PackageResources.starlink_slots_toml),
    ]

    /// The names of all.
    public static var names: [String] { texts.map(\.name) }

    /// The world of a name.
    public static func world(named name: String) throws(WorldError) -> WorldSpecification {
        try WorldFile.parse(try text(named: name), name: name, file: "\(name).toml")
    }

    /// The text of a world, as its file has it.
    public static func text(named name: String) throws(WorldError) -> String {
        guard let text = texts.first(where: { $0.name == name }) else {
            throw .unknownWorld(name: name, known: names)
        }
        return String(decoding: text.text, as: UTF8.self)
    }

    /// All of them.
    public static func all() throws(WorldError) -> [WorldSpecification] {
        var worlds: [WorldSpecification] = []
        for name in names { worlds.append(try world(named: name)) }
        return worlds
    }
}
