public import PathTelemetry
public import PathTransport

/// The outcome of one received item.
public struct ReceivedItem: Sendable {
    /// The outcome of the item.
    public enum Outcome: String, Sendable {
        /// It is on the disk under its name.
        case stored
        /// The same content already existed under its name.
        case wasThere = "was there"
        case failed
    }

    /// The kind of the item.
    public enum Kind: String, Sendable {
        case file, pipe, link
        case directory = "folder"
    }

    public var client: PublicKey
    public var name: ItemName
    public var kind = Kind.file
    /// Path of the item, or of its part for a later transfer; safe to show.
    public var path = ""
    /// Whether a part was kept at `path`, from which the next transfer resumes.
    public var hasPart = false
    /// Bytes of it at `path`.
    public var bytes: UInt64 = 0
    /// Bytes of it from an earlier transfer.
    public var resumedFrom: UInt64 = 0
    public var digest: [UInt8] = []
    public var outcome = Outcome.failed
    /// Why it failed.
    public var problem: String?
    public var reason: TransferReason?
    /// Time from its header to its end.
    public var duration = TimeDelta.zero
    /// Longest time without a byte of it, after the first.
    public var longestGap = TimeDelta.zero

    /// Its stored name, if that is not the sender's.
    private(set) var storedName: ItemName?

    init(client: PublicKey) {
        self.client = client
        name = ItemName(bytes: [])
    }

    /// The digest as text.
    public var hexDigest: String { hexadecimal(digest) }

    /// Notes the name under which it was stored.
    mutating func become(_ stored: [UInt8], in spot: Destination.Spot) {
        outcome = .stored
        path = spot.folder.shownPath(of: stored)
        guard stored != spot.name else { return }
        let folder = name.bytes.lastIndex(of: UInt8(ascii: "/")).map { name.bytes[...$0] } ?? []
        storedName = ItemName(bytes: spot.isSingle ? stored : folder + stored)
    }

    /// Notes the name under which the same content existed.
    mutating func becomeTwin(_ stored: [UInt8], in spot: Destination.Spot) {
        become(stored, in: spot)
        outcome = .wasThere
    }
}

extension ReceivedItem.Kind {
    init(_ kind: TransferHeader.Kind) {
        self =
            switch kind {
            case .file: .file
            case .pipe: .pipe
            case .directory: .directory
            case .link: .link
            }
    }
}

/// Bytes in hexadecimal.
func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
    }.joined()
}
