/// The outcome of one sent item.
public struct SentItem: Sendable {
    /// The outcome of the item.
    public enum Outcome: String, Sendable {
        /// The receiver has it on its disk.
        case stored
        /// The receiver had the same content under this name already.
        case wasThere = "was there"
        /// Left out: neither a file, a folder nor a link.
        case skipped
        case failed
    }

    public var name: ItemName
    public var kind: OutgoingItem.Kind?
    public var outcome: Outcome
    /// Bytes of the item.
    public var bytes: UInt64 = 0
    /// Bytes that the receiver had from an earlier transfer, so that they were not sent.
    public var resumedFrom: UInt64 = 0
    /// SHA-256 of the bytes, equal on both sides.
    public var digest: [UInt8] = []
    /// The receiver's name for it, if different.
    public var storedName: ItemName?
    /// A notice for the user although it was sent.
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
