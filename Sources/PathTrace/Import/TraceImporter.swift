import Glibc
public import PathTelemetry

/// What kind of measurement a file holds.
public enum TraceImportFormat: String, Sendable, CaseIterable {
    /// One integer a line: the millisecond of one opportunity to send 1,500 bytes.
    case mahimahi
    /// CSV with a header: `rtt_ms` and a time; an empty `rtt_ms` is a ping without an answer.
    case ping
    /// The JSON that `iperf3 --json` prints.
    case iperf3
}

/// Turns measurements of links into a trace: one session, a path each file, and path samples.
public struct TraceImporter {
    /// A file and the path that it becomes.
    public struct Source: Hashable, Sendable {
        public var file: String
        /// Nil: found out from the file's beginning.
        public var format: TraceImportFormat?
        /// The path's name.
        public var name: String

        public init(file: String, format: TraceImportFormat? = nil, name: String) {
            self.file = file
            self.format = format
            self.name = name
        }
    }

    /// What became of the files.
    public struct Result: Hashable, Sendable {
        public var formats: [TraceImportFormat] = []
        /// Samples by file.
        public var samples: [Int] = []
    }

    /// Files of one import: each needs a path number of its own.
    public static let sourceLimit = PathID.limit

    /// Over how long the opportunities of a Mahimahi trace are counted for a sample.
    public var interval = TimeDelta.milliseconds(100)

    public init() {}

    /// Writes the new trace, which must not exist; of an import that fails nothing is left.
    ///
    /// - Parameters:
    ///   - command: what stands in the session as its command.
    ///   - progress: told how many files are done.
    public func run(
        _ sources: [Source], into path: String, programVersion: String, command: String,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws(TraceError) -> Result {
        guard !sources.isEmpty, sources.count <= TraceImporter.sourceLimit else {
            throw .importRefused(
                path: sources.last?.file ?? path, line: 0,
                what: "\(sources.count) files; an import takes 1 to \(TraceImporter.sourceLimit)")
        }
        let formats = try sources.map { source throws(TraceError) in
            if let format = source.format { return format }
            return try TraceImporter.format(of: source.file)
        }
        let writer = try TraceWriter(
            path: path, schema: .current, programVersion: programVersion, ifExists: .refuse)
        do throws(TraceError) {
            let result = try write(sources, formats, writer, programVersion, command, progress)
            try writer.close()
            return result
        } catch {
            try? writer.close()
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
            throw error
        }
    }

    private func write(
        _ sources: [Source], _ formats: [TraceImportFormat], _ writer: TraceWriter,
        _ programVersion: String, _ command: String, _ progress: (_ done: Int, _ of: Int) -> Void
    ) throws(TraceError) -> Result {
        // The first file that says when it was measured gives the session its date.
        var started: Int64?
        for (source, format) in zip(sources, formats) where started == nil {
            started = try TraceImporter.started(source.file, format)
        }
        let origin = started ?? 0
        let session = writer.beginSession(
            SessionInfo(
                startedWallClock: origin, started: .zero, role: "import",
                programVersion: programVersion, command: command))
        let ring = writer.makeRing(whenFull: .wait)
        var result = Result(formats: formats)
        var end = Instant.zero
        for (index, source) in sources.enumerated() {
            let path = PathID(index)
            ring.record(
                added: PathInfo(
                    path: path, name: source.name, local: source.file, remote: "",
                    traits: PathTraits(), added: .zero), session: session)
            var samples = 0
            try read(source.file, formats[index], origin: origin) { sample throws(TraceError) in
                var sample = sample
                sample.snapshot.path = path
                end = max(end, sample.time)
                guard ring.record(sample, session: session) else {
                    throw writer.error
                        ?? .writeFailed(path: writer.path, reason: "a sample was not taken")
                }
                samples += 1
            }
            result.samples.append(samples)
            progress(index + 1, sources.count)
        }
        writer.endSession(session, at: end)
        return result
    }

    private func read(
        _ file: String, _ format: TraceImportFormat, origin: Int64,
        _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        switch format {
        case .mahimahi: try MahimahiFile.read(file, interval: interval, body)
        case .ping: try PingFile.read(file, origin: origin, body)
        case .iperf3: try IperfFile.read(file, origin: origin, body)
        }
    }

    /// When the first measurement was made, nanoseconds since 1970, if the file says so.
    private static func started(
        _ file: String, _ format: TraceImportFormat
    ) throws(TraceError) -> Int64? {
        switch format {
        case .mahimahi: nil
        case .ping: try PingFile.started(file)
        case .iperf3: try IperfFile.started(file)
        }
    }

    /// Finds out what a file holds from its first line that is not empty.
    static func format(of file: String) throws(TraceError) -> TraceImportFormat {
        let lines = try LineFile(file)
        while let line = try lines.next() {
            let text = line.drop { $0 == " " || $0 == "\t" }
            guard let first = text.first else { continue }
            if first == "{" { return .iperf3 }
            if text.allSatisfy({ $0.isNumber || $0 == " " }) { return .mahimahi }
            if line.split(separator: ",").contains("rtt_ms") { return .ping }
            throw lines.refusal(
                "neither an integer (mahimahi), a header with rtt_ms (ping) nor JSON (iperf3);"
                    + " say what it is with --format")
        }
        throw lines.refusal("the file is empty")
    }
}

extension PathSample {
    /// A sample of a path of which nothing is known yet but that it is in service.
    static func measured(at time: Instant) -> PathSample {
        var snapshot = PathSnapshot(path: PathID(0), state: .active, traits: PathTraits())
        snapshot.smoothedRTT = .zero
        snapshot.rttVariation = .zero
        return PathSample(time: time, snapshot: snapshot)
    }
}
