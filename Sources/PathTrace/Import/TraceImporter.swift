import Glibc
public import PathTelemetry

/// What kind of measurement a file holds.
public enum TraceImportFormat: String, Sendable, CaseIterable {
    /// One integer a line: the millisecond of one opportunity to send 1,500 bytes.
    case mahimahi
    /// CSV with a header, RTTs and times, or the output of `ping -D`.
    case ping
    /// The JSON that `iperf3 --json` prints.
    case iperf3
}

/// Turns measurements of links into a trace with one session, one path per measurement, and path
/// samples.
///
/// A file is one path; an iperf3 test of both directions is two, the second with `-reverse` after
/// its name. The samples of a path are in the order of time, and paths follow each other.
public struct TraceImporter {
    /// A file to import.
    public struct Source: Hashable, Sendable {
        public var file: String
        /// Nil means that the file's beginning tells the format.
        public var format: TraceImportFormat?
        /// The path's name; nil means the file's name, with `-reverse` after it if the data went
        /// from the server to the client (`iperf3 -R`).
        public var name: String?

        public init(file: String, format: TraceImportFormat? = nil, name: String? = nil) {
            self.file = file
            self.format = format
            self.name = name
        }
    }

    /// A path that was imported.
    public struct ImportedPath: Hashable, Sendable {
        public var name: String
        public var file: String
        public var format: TraceImportFormat
        public var samples: Int
    }

    /// One series of measurements to import.
    private struct Series {
        var name: String
        var file: String
        var format: TraceImportFormat
        /// Direction of an iperf3 test.
        var direction = IperfFile.Direction.forward
        /// Start in nanoseconds since 1970, if the file says so.
        var started: Int64?
    }

    /// The most paths of one import: each needs its own number.
    private static let pathLimit = PathID.limit

    /// The interval over which the opportunities of a Mahimahi trace are counted for a sample.
    public var interval = TimeDelta.milliseconds(100)

    public init() {}

    /// Writes the new trace, which must not exist; a failed import leaves no file.
    ///
    /// - Parameters:
    ///   - command: the command line to record in the session.
    ///   - progress: called with the number of finished files and of all files.
    public func run(
        _ sources: [Source], into path: String, programVersion: String, command: String,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws(TraceError) -> [ImportedPath] {
        guard !sources.isEmpty, sources.count <= TraceImporter.pathLimit else {
            throw TraceImporter.tooMany(sources.count, sources.last?.file ?? path)
        }
        var series: [Series] = []
        for source in sources {
            series += try TraceImporter.series(of: source)
            guard series.count <= TraceImporter.pathLimit else {
                throw TraceImporter.tooMany(series.count, source.file)
            }
        }
        let writer = try TraceWriter(
            path: path, schema: .current, programVersion: programVersion, ifExists: .refuse)
        do throws(TraceError) {
            let result = try write(series, writer, programVersion, command, progress)
            try writer.close()
            return result
        } catch {
            try? writer.close()
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
            throw error
        }
    }

    private static func tooMany(_ count: Int, _ file: String) -> TraceError {
        .importRefused(
            path: file, line: 0, what: "\(count) paths; an import makes 1 to \(pathLimit)")
    }

    private static func series(of source: Source) throws(TraceError) -> [Series] {
        let format =
            if let known = source.format { known } else { try self.format(of: source.file) }
        let base = source.file.split(separator: "/").last.map(String.init) ?? "link"
        var series = Series(name: source.name ?? base, file: source.file, format: format)
        switch format {
        case .mahimahi: return [series]
        case .ping:
            series.started = try PingFile.started(source.file)
            return [series]
        case .iperf3:
            let file = try IperfFile(source.file)
            series.started = file.started
            return file.directions.map { direction in
                var series = series
                series.direction = direction
                if direction == .reverse, source.name == nil || file.directions.count > 1 {
                    series.name += "-" + direction.rawValue
                }
                return series
            }
        }
    }

    private func write(
        _ series: [Series], _ writer: TraceWriter, _ programVersion: String, _ command: String,
        _ progress: (_ done: Int, _ of: Int) -> Void
    ) throws(TraceError) -> [ImportedPath] {
        // The earliest start in the files is the date of the session.
        let origin = series.compactMap(\.started).min() ?? 0
        let session = writer.beginSession(
            SessionInfo(
                startedWallClock: origin, started: .zero, role: "import",
                programVersion: programVersion, command: command))
        let ring = writer.makeRing(whenFull: .wait)
        var result: [ImportedPath] = []
        var end = Instant.zero
        for (index, part) in series.enumerated() {
            let path = PathID(index)
            ring.record(
                added: PathInfo(
                    path: path, name: part.name, local: part.file, remote: "",
                    traits: PathTraits(), added: .zero), session: session)
            var samples = 0
            try read(part, origin: origin) { sample throws(TraceError) in
                var sample = sample
                sample.snapshot.path = path
                end = max(end, sample.time)
                guard ring.record(sample, session: session) else {
                    throw writer.error
                        ?? .writeFailed(path: writer.path, reason: "a sample was not taken")
                }
                samples += 1
            }
            result.append(
                ImportedPath(
                    name: part.name, file: part.file, format: part.format, samples: samples))
            progress(index + 1, series.count)
        }
        writer.endSession(session, at: end)
        return result
    }

    private func read(
        _ series: Series, origin: Int64, _ body: (PathSample) throws(TraceError) -> Void
    ) throws(TraceError) {
        switch series.format {
        case .mahimahi: try MahimahiFile.read(series.file, interval: interval, body)
        case .ping: try PingFile.read(series.file, origin: origin, body)
        case .iperf3: try IperfFile(series.file).read(series.direction, origin: origin, body)
        }
    }

    /// Detects the format of a file from its first non-empty line.
    static func format(of file: String) throws(TraceError) -> TraceImportFormat {
        let lines = try LineFile(file)
        while let line = try lines.next() {
            let text = line.drop { $0 == " " || $0 == "\t" }
            guard let first = text.first else { continue }
            if first == "{" { return .iperf3 }
            if text.allSatisfy({ $0.isNumber || $0 == " " }) { return .mahimahi }
            if PingText.isOutput(line) || PingFile.isHeader(line) { return .ping }
            throw lines.refusal(
                "neither an integer (mahimahi), a header with rtt_ms or output of ping (ping) nor "
                    + "JSON (iperf3); say what it is with --format")
        }
        throw lines.refusal("the file is empty")
    }
}

extension PathSample {
    /// A sample of an active path with no other values yet.
    static func measured(at time: Instant) -> PathSample {
        var snapshot = PathSnapshot(path: PathID(0), state: .active, traits: PathTraits())
        snapshot.smoothedRTT = .zero
        snapshot.rttVariation = .zero
        return PathSample(time: time, snapshot: snapshot)
    }
}
