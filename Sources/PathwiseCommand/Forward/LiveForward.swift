import PathForward
import PathLearning
import PathNetwork
import PathTransport
import Pathwise
import Synchronization

/// What a `forward` runs with at this moment; requests change it, one at a time.
///
/// *Any thread*: what sessions are made from. *One task at a time*: `perform`.
final class LiveForward: Sendable {
    private struct State {
        var setup: ForwardSetup
        var meter: UsageMeter?
        var recording: ServiceRecording?
        /// How many times the above was changed, and of which time the latest options are.
        var changes = 0
        var optionsOf = 0
        var session: Session?
        /// The latest change of the policy.
        var policyChange: ConfigDifference?
        /// The policies before the latest `promote`.
        var promotion: PolicyTexts?
        /// Of former sessions.
        var found = FoundPaths()
        /// Of the latest options, or with which the session goes on since.
        var sessionPolicy: PolicySpecification?
        var sessionChoice: PolicyChoice?
        /// Follows the model's file for the session.
        var follower: Task<Void, Never>?
    }

    let forwarder: Forwarder
    private let source: ConfigSource<ForwardCommand>
    private let log: ForwardLog
    private let feed: StatusFeed
    /// What sessions measured of their paths; later runs read it if the server was joined.
    private let memory: PathMemory
    private let state: Mutex<State>

    /// Listens for the forwards, and reads the counts of paths with caps.
    init(
        _ setup: ForwardSetup, _ source: ConfigSource<ForwardCommand>, log: ForwardLog,
        feed: StatusFeed, onFailure: @escaping FailureHandler
    ) throws {
        self.source = source
        self.log = log
        self.feed = feed
        let meter = try LiveForward.meter(setup, log)
        forwarder = try Forwarder(setup.specs, onFailure: onFailure)
        memory = setup.command.server.memory(of: setup.identity) ?? PathMemory()
        state = Mutex(State(setup: setup, meter: meter))
        feed.setMeter(meter)
    }

    private static func meter(_ setup: ForwardSetup, _ log: ForwardLog) throws -> UsageMeter? {
        try PathArgument.meter(setup.paths, state: setup.command.server.state.state) {
            log.cap($0)
        }
    }

    // MARK: sessions

    /// Opens the trace of the command line, if there is one: the last thing before the first session,
    /// because it makes a file.
    func startRecording() throws {
        let recording = try state.withLock { $0.setup }.recording()
        state.withLock { $0.recording = recording }
        keep(recording)
    }

    /// Lets the present session follow a recording from file to file.
    private func keep(_ recording: ServiceRecording?) {
        recording?.keep { [weak self, weak recording] recorder in
            let session = self?.state.withLock { $0.recording === recording ? $0.session : nil }
            session?.setRecorder(recorder)
        } report: { [log] in
            log.recording($0)
        }
    }

    /// Has a session record as the recording does now, which may begin another file meanwhile.
    private func record(_ session: Session, with recording: ServiceRecording?) {
        var recorder = recording?.recorder
        session.setRecorder(recorder)
        while let now = recording?.recorder, now !== recorder {
            recorder = now
            session.setRecorder(recorder)
        }
    }

    /// The options of one attempt.
    func options() throws(SessionError) -> ClientOptions {
        let (setup, meter, recording) = state.withLock { state in
            state.optionsOf = state.changes
            state.sessionPolicy = state.setup.policy
            state.sessionChoice = state.setup.choice
            return (state.setup, state.meter, state.recording)
        }
        var options = try setup.options(meter: meter, recorder: recording?.recorder)
        options.memory = memory
        return options
    }

    /// Uses a session until it has ended.
    func use(_ session: Session) async {
        let (setup, meter, recording, isOld) = state.withLock { state in
            state.session = session
            return (state.setup, state.meter, state.recording, state.optionsOf != state.changes)
        }
        if isOld {
            session.setPlanner(setup.planner)
            // Nobody waits for an answer.
            var answer = ControlAnswer(request: "")
            takePolicy(setup, session, &answer)
        }
        record(session, with: recording)
        meter?.follow(session)
        followModel()
        forwarder.attach(session)
        _ = await session.waitUntilEnded()
        forwarder.detach()
        let follower = state.withLock { state in
            state.session = nil
            // Explicit paths are none that were found.
            if state.setup.paths.isEmpty { state.found.note(session) }
            return state.follower.take()
        }
        follower?.cancel()
    }

    /// Follows the model's file for the present session, instead of another one.
    private func followModel() {
        let former = state.withLock { state in
            let former = state.follower.take()
            if let file = state.setup.modelFile, let session = state.session,
                state.sessionPolicy == state.setup.policy
            {
                state.follower = Task {
                    await session.followModel(file, requests: { HangUp.requests })
                }
            }
            return former
        }
        former?.cancel()
    }

    /// Writes the last counts and measurements, and completes the trace.
    func close() async throws {
        forwarder.close()
        let (meter, recording) = state.withLock { ($0.meter, $0.recording) }
        await meter?.close()
        try? memory.save()
        try recording?.complete()
    }

    // MARK: changes

    /// Makes a change, or nothing of it.
    func perform(_ action: ControlAction) async throws -> ControlAnswer {
        let (setup, session, known) = state.withLock { ($0.setup, $0.session, $0.found) }
        var answer = ControlAnswer(request: "")
        guard case .reload = action else {
            let found = { () throws(CommandFailure) in
                var found = known
                if let session { found.note(session) }
                return try found.named(setup.planner)
            }
            var command = try setup.command.changed(
                by: action, found: found, notes: &answer.notes)
            let (latest, promotion) = state.withLock { ($0.policyChange, $0.promotion) }
            let before = command.policies
            command.policies = try before.changed(
                by: action, after: latest, promotion: promotion)
            try await change(to: command, &answer)
            state.withLock {
                $0.promotion = PolicyTexts.promotion(after: action, before, known: promotion)
            }
            return answer
        }
        let source = source
        do {
            let command = try await Blocking.run { try source.read() }
            answer.notes += source.notes
            try await change(to: command, &answer)
        } catch {
            throw CommandFailure(error).ofConfiguration
        }
        return answer
    }

    /// Checks all of a command line, then makes what is different.
    private func change(to wanted: ForwardCommand, _ answer: inout ControlAnswer) async throws {
        let (former, meter) = state.withLock { ($0.setup, $0.meter) }
        let differences = former.command.differences(to: wanted)
        answer.changes = differences
        let command = wanted.keeping(differences)
        let setup = try await Blocking.run { try ForwardSetup(command) }
        // What may fail comes first.
        let hasOtherCaps = setup.caps != former.caps
        let newMeter = hasOtherCaps ? try LiveForward.meter(setup, log) : meter
        let recordsElsewhere =
            command.record != former.command.record
            || command.recordRules != former.command.recordRules
        let recording =
            recordsElsewhere ? try await Blocking.run { try setup.recording() } : nil
        do {
            if setup.specs != former.specs { try await forwarder.change(to: setup.specs) }
        } catch {
            recording?.discard()
            throw error
        }
        log.listening(
            forwarder.forwards.filter { !$0.spec.isReverse && !former.specs.contains($0.spec) })
        let (session, ended) = state.withLock { state in
            let ended = recordsElsewhere ? state.recording : nil
            if recordsElsewhere { state.recording = recording }
            state.setup = setup
            state.meter = newMeter
            state.changes += 1
            if let change = differences.first(where: { $0.key == "forward.policy" }) {
                state.policyChange = change
            }
            if setup.paths.isEmpty, !former.paths.isEmpty { state.found.begin(state.session) }
            return (state.session, ended)
        }
        if let session {
            // A path whose cap is used up already is not opened for a moment.
            for name in newMeter?.stopped ?? [] { session.setStopped(name: name, true) }
            if LiveForward.concernsPaths(differences) { session.setPlanner(setup.planner) }
            if recordsElsewhere {
                ended?.freeze()
                record(session, with: recording)
            }
            takePolicy(setup, session, &answer)
        }
        if hasOtherCaps {
            await replace(meter, by: newMeter, session, former.caps, setup.caps)
        }
        if recordsElsewhere { keep(recording) }
        if setup.modelFile != former.modelFile { followModel() }
        if let ended {
            do { try await Blocking.run { try ended.complete() } } catch {
                answer.notes.append(CommandFailure(error).message)
            }
        }
    }

    private static func concernsPaths(_ differences: [ConfigDifference]) -> Bool {
        differences.contains { ["path", "forward.exclude-interface"].contains($0.key) }
    }

    /// Lets the present session go on with another policy, or another model of its policy.
    private func takePolicy(
        _ setup: ForwardSetup, _ session: Session, _ answer: inout ControlAnswer
    ) {
        let former = state.withLock { state in
            let former = state.sessionChoice
            state.sessionChoice = setup.choice
            return former
        }
        if let former, setup.choice.promotes(former),
            session.promoteShadow(former.judging.shadow)
        {
            state.withLock { $0.sessionPolicy = setup.policy }
            return
        }
        takePolicyAlone(setup, session, &answer)
        guard former.map({ !setup.choice.judges(as: $0) }) ?? true else { return }
        session.setJudging(setup.choice.judging)
        setup.choice.noteShadow(in: &answer)
    }

    private func takePolicyAlone(
        _ setup: ForwardSetup, _ session: Session, _ answer: inout ControlAnswer
    ) {
        let isOther = state.withLock { $0.sessionPolicy } != setup.policy
        let hash = setup.model?.hash ?? 0
        guard isOther || setup.policy.needs.model && hash != session.status().modelHash else {
            return
        }
        do throws(LearningError) {
            if !isOther, let model = setup.model {
                try session.replaceModel(model)
            } else {
                try session.replacePolicy(setup.policy, model: setup.model)
                state.withLock { $0.sessionPolicy = setup.policy }
            }
        } catch {
            if let index = answer.changes.firstIndex(where: { $0.key == "forward.policy" }) {
                answer.changes[index].effect = .nextSession
            }
            return answer.notes.append("the present session keeps its policy: \(error)")
        }
        if !answer.changes.contains(where: { $0.key == "forward.policy" }) {
            answer.notes.append("the policy continues with the other model")
        }
    }

    /// Counts by other caps from now on; a path is free unless its cap is reached by the same rule.
    private func replace(
        _ meter: UsageMeter?, by new: UsageMeter?, _ session: Session?,
        _ former: [String: ByteCap], _ caps: [String: ByteCap]
    ) async {
        await meter?.close()
        // This looks at the counts.
        _ = new?.stopped
        let held = new?.held ?? []
        feed.setMeter(new)
        guard let session else { return }
        for (name, cap) in former where !held.contains(name) || caps[name]?.isHard != cap.isHard {
            session.setFree(name: name)
        }
        new?.follow(session, after: meter)
    }
}
