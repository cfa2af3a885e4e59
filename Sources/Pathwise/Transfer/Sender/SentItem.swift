/// What became of one item.
public struct SentItem: Sendable {
    /// How it ended.
    public enum Outcome: String, Sendable {
        /// The receiver has it on its disk.
        case stored
        /// The receiver had the same content under this name already.
        case wasThere = "was there"
        /// Neither a file, a folder nor a link: it was left out.
        case skipped
        case failed
    }

    public var name: ItemName
    public var kind: OutgoingItem.Kind?
    public var outcome: Outcome
    /// Bytes of the item.
    public var bytes: UInt64 = 0
    /// Its bytes that the receiver had from an earlier transfer, and that were not sent.
    public var resumedFrom: UInt64 = 0
    /// SHA-256 of the bytes, the same on both sides.
    public var digest: [UInt8] = []
    /// The name that the receiver gave it, where that is another one.
    public var storedName: ItemName?
    /// What the user should know of it though it was sent.
    public var note: String?
    /// Why it failed.
    public var error: (any Error)?

    /// The digest as text.
    public var hexDigest: String { hexadecimal(digest) }

    init(_ item: OutgoingItem) {
        name = item.name
        kind = item.kind
        outcome = .failed
    }

    init(_ item: OutgoingItem, failed error: any Error) {
        self.init(item)
        bytes = item.size ?? 0
        self.error = error
    }

    init(_ name: ItemName, skipped what: String) {
        self.name = name
        outcome = .skipped
        note = what
    }

    init(_ name: ItemName, failed error: FileError) {
        self.name = name
        outcome = .failed
        self.error = error
    }
}
