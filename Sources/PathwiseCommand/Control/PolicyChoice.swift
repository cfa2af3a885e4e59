import PathLearning
import Pathwise

/// The policy of a command line, and the one in the shadow, as texts.
struct PolicyTexts: Equatable, Sendable {
    /// As `--policy` and `--shadow` take them; nil if they are not given.
    var policy: String?
    var shadow: String?

    /// The texts after a request to change them.
    ///
    /// - Parameters:
    ///   - action: one about policies.
    ///   - change: the latest change of the policy in this process.
    ///   - promotion: the texts before the latest `promote`.
    /// - Throws: `CommandFailure` if there is nothing to promote, or to go back to.
    func changed(
        by action: ControlAction, after change: ConfigDifference?, promotion: PolicyTexts?
    ) throws(CommandFailure) -> PolicyTexts {
        var texts = self
        switch action {
        case .policy(let text): texts.policy = text
        case .formerPolicy: texts.policy = try ConfigDifference.formerPolicy(before: change)
        case .shadow(let text): texts.shadow = text == "none" ? nil : text
        case .promote:
            guard let shadow else {
                throw CommandFailure(
                    "no policy is in the shadow; name one by 'control shadow POLICY'", .usage)
            }
            let former = policy ?? PolicyArgument.standard
            texts = PolicyTexts(
                policy: shadow, shadow: PolicyTexts.isForShadow(former) ? former : nil)
        case .rollback:
            guard let promotion else {
                throw CommandFailure("nothing was promoted since the start", .usage)
            }
            texts = promotion
        default: break
        }
        return texts
    }

    private static func isForShadow(_ text: String) -> Bool {
        guard case .named(let specification)? = try? PolicyArgument(parsing: text) else {
            return true
        }
        return (try? ShadowPolicy(specification)) != nil
    }

    /// The texts before the latest `promote`, once a request was done.
    static func promotion(
        after action: ControlAction, _ before: PolicyTexts, known: PolicyTexts?
    ) -> PolicyTexts? {
        switch action {
        case .promote: before
        case .rollback: nil
        default: known
        }
    }
}

/// The policy that decides, and whose results are estimated beside: of a command line, checked.
struct PolicyChoice: Sendable {
    let policy: PolicySpecification
    let model: Model?
    /// The file of the model; nil for a named policy.
    let modelFile: String?
    let judging: Judging

    /// - Parameters:
    ///   - texts: of the command line.
    ///   - isWatched: whether somebody may read the estimates for the usual rules.
    init(_ texts: PolicyTexts, isWatched: Bool) throws(LearningError) {
        let argument = try PolicyArgument(parsing: texts.policy ?? PolicyArgument.standard)
        if case .model(let file) = argument { modelFile = file } else { modelFile = nil }
        (policy, model, _) = try argument.load()
        let shadow = try PolicyArgument.shadow(texts.shadow)
        judging = shadow.map { .shadow($0) } ?? (isWatched ? .rules : .off)
    }

    /// Whether the same is judged as before.
    func judges(as other: PolicyChoice) -> Bool {
        let (own, former) = (judging.shadow, other.judging.shadow)
        return judging.isOn == other.judging.isOn && own?.specification == former?.specification
            && own?.modelHash == former?.modelHash
    }

    /// Whether this is what `Session.promoteShadow` makes of another choice: its shadow decides.
    func promotes(_ former: PolicyChoice) -> Bool {
        guard let shadow = former.judging.shadow, shadow.specification == policy,
            shadow.modelHash == hash
        else { return false }
        guard let own = judging.shadow else {
            return (try? ShadowPolicy(former.policy, model: former.model)) == nil
        }
        return own.specification == former.policy && own.modelHash == former.hash
    }

    /// Says that the shadow is another one, if no changed text does.
    func noteShadow(in answer: inout ControlAnswer) {
        guard judging.shadow != nil,
            !answer.changes.contains(where: { $0.key.hasSuffix(".shadow") })
        else { return }
        answer.notes.append("the shadow begins anew with the other model")
    }

    private var hash: UInt64 { policy.needs.model ? model?.hash ?? 0 : 0 }
}

extension ForwardCommand {
    /// Its policies.
    var policies: PolicyTexts {
        get { PolicyTexts(policy: policy, shadow: shadow) }
        set { (policy, shadow) = (newValue.policy, newValue.shadow) }
    }
}

extension ServeCommand {
    /// Its policies.
    var policies: PolicyTexts {
        get { PolicyTexts(policy: policy, shadow: shadow) }
        set { (policy, shadow) = (newValue.policy, newValue.shadow) }
    }
}
