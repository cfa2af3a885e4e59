/// The frames after a header on the sender's half of an item's stream.
enum ContentFrame: Equatable, Sendable {
    /// SHA-256 of everything up to the end of the next block that the receiver has.
    case proof([UInt8])
    /// That many bytes follow.
    case data(Int)
    /// That many zero bytes, which are not sent.
    case hole(UInt64)
    /// Everything was sent; SHA-256 of the item.
    case end([UInt8])
    /// The sender cancels the item, with its reason.
    case abort(String)

    /// Most bytes of one piece of data.
    static let dataLimit = 1 << 20
    /// Longest hole of one frame: a receiver hashes it without anything arriving.
    static let holeLimit: UInt64 = 64 << 20
    static let textLimit = 1000

    enum Kind: UInt8 {
        case data = 1
        case hole = 2
        case end = 3
        case abort = 4
        case proof = 5
    }

    /// Bytes before a piece of data.
    static let dataHeadLength = 5

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .data(let count):
            bytes.append(Kind.data.rawValue)
            bytes.append(number: UInt64(count), width: 4)
        case .hole(let count):
            bytes.append(Kind.hole.rawValue)
            bytes.append(number: count, width: 8)
        case .end(let digest): bytes = [Kind.end.rawValue] + digest
        case .abort(let text):
            bytes.append(Kind.abort.rawValue)
            let text = Array(text.utf8.prefix(ContentFrame.textLimit))
            bytes.append(number: UInt64(text.count), width: 2)
            bytes += text
        case .proof(let digest): bytes = [Kind.proof.rawValue] + digest
        }
        return bytes
    }
}

/// The answers on the receiver's half of an item's stream.
enum TransferAnswer: Equatable, Sendable {
    /// It has that many bytes from an earlier transfer: prove that they are the same.
    case prove(UInt64)
    /// Send from this offset on.
    case start(UInt64)
    case result(TransferResult)

    // Numbers that differ from the first byte of an answer in version 1, which is 0 or 1.
    enum Kind: UInt8 {
        case prove = 16
        case start = 17
        case result = 18
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .prove(let length):
            bytes.append(Kind.prove.rawValue)
            bytes.append(number: length, width: 8)
        case .start(let offset):
            bytes.append(Kind.start.rawValue)
            bytes.append(number: offset, width: 8)
        case .result(let result): bytes = [Kind.result.rawValue] + result.encoded()
        }
        return bytes
    }
}

/// The receiver's final answer about an item.
struct TransferResult: Equatable, Sendable {
    enum Outcome: UInt8, Sendable {
        case stored = 0
        /// The same content was there under this name, so nothing was written.
        case wasThere = 1
        case failed = 2
    }

    static let fixedLength = 1 + 1 + 8 + 32 + 2 + 2

    var outcome: Outcome
    /// Why it failed.
    var reason: TransferReason?
    /// Bytes of the item that the receiver has.
    var bytes: UInt64
    /// SHA-256 of the stored item, read back from the file.
    var digest: [UInt8]
    /// The stored name; empty if it is the sender's.
    var name: ItemName
    /// Why it was not stored.
    var text: String

    func encoded() -> [UInt8] {
        var out: [UInt8] = [outcome.rawValue, reason?.rawValue ?? 0]
        out.append(number: bytes, width: 8)
        out += digest.count == 32 ? digest : [UInt8](repeating: 0, count: 32)
        let name = name.bytes.prefix(TransferHeader.nameLimit)
        let text = Array(text.utf8.prefix(ContentFrame.textLimit))
        out.append(number: UInt64(name.count), width: 2)
        out.append(number: UInt64(text.count), width: 2)
        return out + name + text
    }

    /// Parses the fixed part; the name and the text follow.
    static func parse(
        _ bytes: UnsafeRawBufferPointer
    ) throws(TransferError) -> (result: TransferResult, nameLength: Int, textLength: Int) {
        guard bytes.count == fixedLength else { throw .cutShort }
        let (nameLength, textLength) = (
            Int(bytes.number(at: 42, width: 2)), Int(bytes.number(at: 44, width: 2))
        )
        guard let outcome = Outcome(rawValue: bytes[0]), nameLength <= TransferHeader.nameLimit,
            textLength <= ContentFrame.textLimit
        else { throw .malformed("an answer") }
        let result = TransferResult(
            outcome: outcome, reason: TransferReason(rawValue: bytes[1]),
            bytes: bytes.number(at: 2, width: 8), digest: Array(bytes[10..<42]),
            name: ItemName(bytes: []), text: "")
        return (result, nameLength, textLength)
    }
}
