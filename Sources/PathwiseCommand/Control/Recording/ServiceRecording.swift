import Glibc
import PathNetwork
import PathReport
import PathTelemetry
import PathTrace
import Pathwise
import Synchronization

/// A recording under way, of `--record` or of a request: a file, or in a folder one file after another.
///
/// A full disk ends a file and never hurts the sessions; in a folder the recording goes on when there
/// is room. *Any thread.*
final class ServiceRecording: Sendable {
    /// What happened to a recording, for the log.
    enum News: Sendable {
        case stopped(String)
        case resumed(String)
    }

    /// Has the sessions record with another recorder from now on, or with none.
    typealias Attach = @Sendable (SessionRecorder?) -> Void
    typealias Report = @Sendable (News) -> Void

    private struct File {
        let recorder: SessionRecorder
        let path: String
        let begun: Instant
    }

    private struct State {
        /// Nil while there is no room.
        var file: File?
        /// Files that still get outcomes of their decisions, and until when.
        var retired: [(file: File, end: Instant)] = []
        /// Before this nothing that failed is tried again.
        var pause = Instant.zero
        var nextLook = Instant.zero
        var isOver = false
        /// Why a single file is not complete.
        var failure: CommandFailure?
        var work: Task<Void, Never>?
        var report: Report?
    }

    /// Time for the outcomes of the decisions in a file that is followed by another.
    private static let lateness = TimeDelta.seconds(12)
    private static let retry = TimeDelta.seconds(5)
    private static let pruning = TimeDelta.seconds(10)

    private let folder: RecordingFolder?
    private let rules: RecordingRules
    private let state: Mutex<State>

    /// Opens a trace; nil if none is wanted.
    ///
    /// - Parameters:
    ///   - record: a new file; a folder that exists, or a name with a slash at its end, gets files with
    ///     the time and the number of this process in their names.
    ///   - rules: of the folder, and the share of decisions.
    init?(_ record: String?, _ rules: RecordingRules) throws {
        guard let record else { return nil }
        folder = RecordingFolder(record)
        try folder?.make()
        self.rules = rules
        let path = folder?.newFile() ?? record
        state = Mutex(State(file: try ServiceRecording.open(path, rules)))
    }

    private static func open(_ path: String, _ rules: RecordingRules) throws(CommandFailure) -> File
    {
        do throws(TraceError) {
            let recorder = try SessionRecorder(
                path: path, command: CommandLine.arguments.joinedSafely, share: rules.share)
            return File(recorder: recorder, path: path, begun: MonotonicClock.now())
        } catch {
            throw CommandFailure(recording: error)
        }
    }

    /// With what sessions record now; nil while there is no room.
    var recorder: SessionRecorder? { state.withLock { $0.file?.recorder } }

    // MARK: while it runs

    /// Begins new files and removes old ones as the rules say, until the recording is completed.
    ///
    /// - Parameters:
    ///   - attach: is called with each other recorder.
    ///   - report: is told once when the recording stops early, and when it goes on.
    func keep(attach: @escaping Attach, report: @escaping Report) {
        let task = Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                guard let self, !Task.isCancelled else { return }
                guard self.isDue(now: MonotonicClock.now()) else { continue }
                try? await Blocking.run { self.work(attach, report) }
            }
        }
        state.withLock { ($0.work, $0.report) = (task, report) }
    }

    /// Whether there is something to do that may wait for the disk.
    private func isDue(now: Instant) -> Bool {
        state.withLock { state in
            if let file = state.file, file.recorder.error != nil { return true }
            guard folder != nil else { return false }
            if state.retired.contains(where: { now >= $0.end }) || now >= state.nextLook {
                return true
            }
            return now >= state.pause && state.file.map { isFull($0, now) } ?? true
        }
    }

    private func isFull(_ file: File, _ now: Instant) -> Bool {
        now - file.begun >= rules.age || RecordingFolder.bytes(of: file.path) >= rules.size
    }

    /// What waits for the disk is done without the lock; nothing else works at the same time.
    private func work(_ attach: Attach, _ report: Report) {
        let now = MonotonicClock.now()
        endFailed(now, attach, report)
        let over = state.withLock { state in
            defer { state.retired.removeAll { now >= $0.end } }
            return state.retired.filter { now >= $0.end }.map(\.file)
        }
        for file in over { try? ServiceRecording.complete(file) }
        guard let folder else { return }
        let (present, mayTry, mustPrune) = state.withLock { state in
            let mustPrune = now >= state.nextLook
            if mustPrune { state.nextLook = now + ServiceRecording.pruning }
            return (state.file, now >= state.pause, mustPrune)
        }
        if mustPrune || present == nil { prune(folder) }
        if mayTry, present.map({ isFull($0, now) }) ?? ((folder.freeBytes ?? .max) >= rules.room) {
            beginNext(folder, after: present, now, attach, report)
        }
    }

    /// Ends a file that cannot be written any more.
    private func endFailed(_ now: Instant, _ attach: Attach, _ report: Report) {
        let ended = state.withLock { state in
            guard !state.isOver, let file = state.file, let error = file.recorder.error else {
                return (File, TraceError)?.none
            }
            attach(nil)
            state.file = nil
            state.pause = now + ServiceRecording.retry
            if folder == nil { state.failure = CommandFailure(recording: error) }
            return (file, error)
        }
        guard let (file, error) = ended else { return }
        report(
            .stopped(
                folder == nil
                    ? "\(error)"
                    : "the recording stops: \(ServiceRecording.reason(error)); it goes on when there "
                        + "is room"))
        try? ServiceRecording.complete(file)
    }

    /// Goes on with another file; without one the present file goes on, if there is one.
    private func beginNext(
        _ folder: RecordingFolder, after present: File?, _ now: Instant, _ attach: Attach,
        _ report: Report
    ) {
        let path = folder.newFile()
        let next = try? ServiceRecording.open(path, rules)
        let isUsed = state.withLock { state in
            guard let next, !state.isOver else {
                state.pause = now + ServiceRecording.retry
                return false
            }
            state.file = next
            attach(next.recorder)
            guard let present else { return true }
            present.recorder.end()
            state.retired.append((present, now + ServiceRecording.lateness))
            return true
        }
        if isUsed, present == nil { report(.resumed("the recording goes on in \(path)")) }
        guard !isUsed else { return prune(folder) }
        if let next { try? ServiceRecording.complete(next) }
        RecordingFolder.remove(path)
    }

    private func prune(_ folder: RecordingFolder) {
        let open = state.withLock { Set($0.retired.map(\.file.path) + [$0.file?.path ?? ""]) }
        folder.prune(to: rules.total, keeping: open)
    }

    /// What stopped a recording, without what to do.
    private static func reason(_ error: TraceError) -> String {
        if case .diskFull = error { return "the disk is full" }
        return "\(error)"
    }

    // MARK: end

    /// Attaches nothing more; call it before sessions record elsewhere.
    func freeze() {
        let work = state.withLock { state in
            state.isOver = true
            return state.work
        }
        work?.cancel()
    }

    /// Ends all sessions, and writes what is left.
    ///
    /// - Throws: why a single file is not complete; what a folder lacks is in the log.
    func complete() throws {
        freeze()
        let (retired, file, failure, report) = state.withLock { state in
            defer { (state.retired, state.file) = ([], nil) }
            return (state.retired, state.file, state.failure, state.report)
        }
        for (file, _) in retired { try? ServiceRecording.complete(file) }
        if let failure { throw failure }
        guard let file else { return }
        do throws(TraceError) { try ServiceRecording.complete(file) } catch {
            guard folder != nil, let report else { throw CommandFailure(recording: error) }
            report(.stopped("the recording ends early: \(ServiceRecording.reason(error))"))
        }
        folder?.prune(to: rules.total, keeping: [])
    }

    private static func complete(_ file: File) throws(TraceError) {
        file.recorder.end()
        try file.recorder.close()
    }

    /// Removes the trace again, as no session uses it.
    func discard() {
        let file = state.withLock { $0.file }
        try? complete()
        if let file { RecordingFolder.remove(file.path) }
    }
}

extension EventLog {
    /// Writes what happened to a recording.
    func write(_ news: ServiceRecording.News) {
        switch news {
        case .stopped(let text):
            write("problem", [("text", .string(text))], text: "problem: \(text)")
        case .resumed(let text): write("note", [("text", .string(text))], text: text)
        }
    }
}

extension [String] {
    /// The command line for a trace; keys are given as files, so nothing in it is secret.
    fileprivate var joinedSafely: String {
        String(joined(separator: " ").prefix(1000))
    }
}
