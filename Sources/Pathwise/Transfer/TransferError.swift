/// Why an item was not stored, as one side tells the other.
public enum TransferReason: UInt8, Sendable {
    /// A file or folder cannot be created, or its name exists.
    case cannotCreate = 1
    /// Reading or writing failed during the transfer.
    case inputOutput = 2
    /// Trying again later may work.
    case temporary = 3
    /// The received bytes differ from the sent ones.
    case mismatch = 4
    /// The other side violates the protocol.
    case malformed = 5
    /// The sender cancelled it.
    case givenUp = 6
    /// The connection ended.
    case cutShort = 7
}

/// Why one item was not transferred; others are not affected.
public enum TransferError: Error, Hashable, Sendable {
    /// The receiver did not store it, with its reason.
    case notStored(TransferReason, String)
    /// The file has fewer bytes than it had when it was opened.
    case shrank(name: ItemName, from: UInt64, to: UInt64)
    /// The receiver's answer has a digest of other content than was sent.
    case mismatch(name: ItemName)
    /// The stream ended before the item did.
    case cutShort
    /// The other side violates the protocol; the text says where.
    case malformed(String)
    /// The other side speaks another version of the protocol.
    case otherVersion
    /// A rule of this receiver forbids it; the text says which.
    case forbidden(TransferReason, String)
    /// The sender cancelled it, with its reason.
    case givenUp(String)
    /// Another transfer of the item continues with what has arrived.
    case takenOver
}

extension TransferError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notStored(_, let text): "the receiver did not store it: \(text)"
        case .shrank(let name, let from, let to):
            "\(name) had \(from) bytes when it was opened and has \(to) now; "
                + "send it again when nothing writes to it"
        case .mismatch(let name):
            "\(name) arrived with another SHA-256 than was sent; send it again, and report this"
        case .cutShort: "the stream ended before the item did"
        case .malformed(let text):
            "the peer does not keep to the transfer protocol (\(text)); "
                + "use the same version on both sides"
        case .otherVersion:
            "the peer speaks another version of the transfer protocol; update the older side"
        case .forbidden(_, let text): text
        case .givenUp(let text): "the sender gave it up: \(text)"
        case .takenOver:
            "nothing of it came any more, and the same item was sent again; "
                + "that transfer continues with what has arrived"
        }
    }
}
