public import PathTelemetry

/// Which path a policy means: by number, or by a name to be resolved by whoever knows the names.
public enum PathReference: Hashable, Sendable {
    case number(PathID)
    case name(String)
}

/// A policy by name, with its parameters: what `--policy` says.
///
///     steady
///     single:lte          single:0
///     lin-ucb:alpha=0.5,half-life=10
///
/// `init(parsing:)` reads that text and `description` writes it, without what goes without saying.
public enum PolicySpecification: Hashable, Sendable, CustomStringConvertible {
    case single(PathReference)
    case roundRobin
    case weighted(WeightedSettings)
    case minRTT
    case earliest
    case steady
    case ecf(ECFSettings)
    case blest(BLESTSettings)
    case backup(BackupSettings)
    case redundant
    case reinject(ReinjectSettings)
    /// A linear model of the cost with one of several rules of exploration.
    case linear(LinearBanditSettings)
    case ols(OLSSettings)
    case prune(PruneSettings)
    case exp3(ExponentialSettings)
    case exp4(ExponentialSettings)
    case peekaboo(PeekabooSettings)
    case falcon(FalconSettings)
    case linUCB(LinUCBSettings)
    /// The default: residual regression, P(late), a safe set and a guard; starts from a model.
    case learned(LearnedSettings)

    /// The name in tables, traces and `--policy`.
    public var name: String {
        switch self {
        case .single: "single"
        case .roundRobin: "round-robin"
        case .weighted: "weighted"
        case .minRTT: "min-rtt"
        case .earliest: "earliest"
        case .steady: "steady"
        case .ecf: "ecf"
        case .blest: "blest"
        case .backup: "backup"
        case .redundant: "redundant"
        case .reinject: "reinject"
        case .linear(let settings): settings.rule.rawValue
        case .ols: "ols"
        case .prune: "prune"
        case .exp3: "exp3"
        case .exp4: "exp4"
        case .peekaboo: "peekaboo"
        case .falcon: "falcon"
        case .linUCB: "lin-ucb"
        case .learned: "learned"
        }
    }

    /// The text that `init(parsing:)` turns into this specification: the name, and those
    /// parameters that differ from the policy's own.
    public var description: String {
        let parameters: String
        switch self {
        case .single(.number(let path)): parameters = "\(path.rawValue)"
        case .single(.name(let name)): parameters = name
        case .roundRobin, .minRTT, .earliest, .steady, .redundant: parameters = ""
        case .weighted(let settings): parameters = settings.text(against: WeightedSettings())
        case .ecf(let settings): parameters = settings.text(against: ECFSettings())
        case .blest(let settings): parameters = settings.text(against: BLESTSettings())
        case .backup(let settings): parameters = settings.text(against: BackupSettings())
        case .reinject(let settings): parameters = settings.text(against: ReinjectSettings())
        case .linear(let settings):
            parameters = settings.text(against: LinearBanditSettings(settings.rule))
        case .ols(let settings): parameters = settings.text(against: OLSSettings())
        case .prune(let settings): parameters = settings.text(against: PruneSettings())
        case .peekaboo(let settings): parameters = settings.text(against: PeekabooSettings())
        case .falcon(let settings): parameters = settings.text(against: FalconSettings())
        case .exp3(let settings), .exp4(let settings):
            parameters = settings.text(against: ExponentialSettings())
        case .linUCB(let settings): parameters = settings.text(against: LinUCBSettings())
        case .learned(let settings): parameters = settings.text(against: LearnedSettings())
        }
        return parameters.isEmpty ? name : "\(name):\(parameters)"
    }

    /// The policy weighs paths without room too: to wait for them, or to send copies there.
    public var seesFullPaths: Bool {
        switch self {
        case .ecf, .blest, .redundant, .ols, .peekaboo: true
        default: false
        }
    }

    /// The policy starts from a model where one is given.
    var usesModel: Bool {
        switch self {
        case .linear, .falcon, .linUCB, .learned: true
        default: false
        }
    }

    /// The same with a path's name replaced by its number.
    ///
    /// - Parameter names: names of the paths; the position is the number.
    public func resolved(names: [String]) throws(LearningError) -> PolicySpecification {
        guard case .single(.name(let wanted)) = self else { return self }
        guard let index = names.firstIndex(of: wanted), index < PathID.limit else {
            throw .unknownPath(name: wanted, known: names.filter { !$0.isEmpty })
        }
        return .single(.number(PathID(index)))
    }
}
