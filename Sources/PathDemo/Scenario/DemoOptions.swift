/// What a demonstration is asked to do.
public struct DemoOptions: Sendable {
    /// Length of the stream part of each run, seconds.
    public static let secondsRange = 1.0...120.0

    /// Length of the stream part of each run, seconds, within `secondsRange`.
    public var seconds = 5.0
    /// Bytes of the file.
    public var fileBytes = 20_000_000
    /// Of the links' random draws, of the policies' and of the file's content.
    public var seed: UInt64 = 1
    /// Where traces and the model are kept; nil makes a temporary directory.
    public var directory: String?

    public init() {}
}
