/// The options of a demonstration.
public struct DemoOptions: Sendable {
    /// Allowed length of the stream part of each run, seconds.
    public static let secondsRange = 1.0...120.0

    /// Length of the stream part of each run, seconds, within `secondsRange`.
    public var seconds = 5.0
    /// Size of the file, bytes.
    public var fileBytes = 20_000_000
    /// First seed of the links' and policies' random draws; also that of the file's content.
    public var seed: UInt64 = 1
    /// Runs of each policy in virtual time.
    var virtualRuns = 20
    /// Directory for traces and the model; nil creates a temporary directory.
    public var directory: String?

    public init() {}
}
