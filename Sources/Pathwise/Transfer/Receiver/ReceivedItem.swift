public import PathTelemetry
public import PathTransport

/// What became of one received item.
public struct ReceivedItem: Sendable {
    /// How it ended.
    public enum Outcome: String, Sendable {
        /// It is on the disk under its name.
        case stored
        /// The same content was there under its name already.
        case wasThere = "was there"
        case failed
    }

    /// What it is.
    public enum Kind: String, Sendable {
        case file, pipe, link
        case directory = "folder"
    }

    public var client: PublicKey
    public var name: ItemName
    public var kind = Kind.file
    /// Where it is, or where the part of it is that can be gone on from; safe to show.
    public var path = ""
    /// A part of it was kept at `path`, which the next transfer goes on from.
    public var hasPart = false
    /// Its bytes that are there.
    public var bytes: UInt64 = 0
    /// Its bytes that an earlier transfer had left.
    public var resumedFrom: UInt64 = 0
    public var digest: [UInt8] = []
    public var outcome = Outcome.failed
    /// Why it failed.
    public var problem: String?
    public var reason: TransferReason?
    /// From its header to its end.
    public var duration = TimeDelta.zero
    /// Longest time in which no byte of it arrived, after the first.
    public var longestGap = TimeDelta.zero

    /// The name it was stored under, where that is not the sender's.
    private(set) var storedName: ItemName?

    init(client: PublicKey) {
        self.client = client
        name = ItemName(bytes: [])
    }

    /// The digest as text.
    public var hexDigest: String { hexadecimal(digest) }

    /// It was stored under a name.
    mutating func become(_ stored: [UInt8], in spot: Destination.Spot) {
        outcome = .stored
        path = spot.folder.shownPath(of: stored)
        guard stored != spot.name else { return }
        let folder = name.bytes.lastIndex(of: UInt8(ascii: "/")).map { name.bytes[...$0] } ?? []
        storedName = ItemName(bytes: spot.isSingle ? stored : folder + stored)
    }

    /// The same content was there under a name.
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

/// Bytes as text, two characters each.
func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
    }.joined()
}
