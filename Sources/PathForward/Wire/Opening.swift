public import PathTransport

/// What the opener of a forwarding stream asks for; its first bytes.
///
/// docs/protocol.md, "Forwarding".
public enum Opening: Hashable, Sendable {
    /// Connects to a TCP target; the bytes of the connection follow the answer.
    case connect(ForwardTarget, FlowOptions)
    /// Listens for the opener; the stream is the lease, and its end ends the listener.
    case listen(Transport, on: ForwardTarget, FlowOptions)
    /// One TCP connection that a listener accepted; `lease` is the stream that asked for it.
    case accepted(lease: UInt64, from: ForwardTarget, FlowOptions)
    /// A flow of datagrams: its messages carry the number of this stream, which is its lease.
    case datagrams(DatagramTarget, FlowOptions)
    /// A new client that joins: its public key and the name it asks for.
    case enrol(key: PublicKey, name: String)

    /// What a listener listens for.
    public enum Transport: UInt8, Sendable {
        case tcp = 1
        case udp = 2
    }

    /// Where the datagrams of a flow go.
    public enum DatagramTarget: Hashable, Sendable {
        /// All to one target.
        case target(ForwardTarget)
        /// Each message names its own.
        case any
        /// To the side that asked for a listener by the stream `lease`; they came from `source`.
        case lease(UInt64, source: ForwardTarget)
    }

    /// The kinds, as on the wire.
    public enum Kind: UInt8, Sendable {
        case connect = 1
        case listen = 2
        case accepted = 3
        case datagrams = 4
        case enrol = 5
    }

    /// The first bytes of every opening.
    public static let magic = Array("PWF1".utf8)
    /// Bytes before the body.
    static let fixedLength = 7
    /// Most bytes of a body.
    static let bodyLimit = 1024
    /// Most bytes of a name in `enrol`.
    public static let nameLimit = 255

    public var kind: Kind {
        switch self {
        case .connect: .connect
        case .listen: .listen
        case .accepted: .accepted
        case .datagrams: .datagrams
        case .enrol: .enrol
        }
    }

    /// The bytes of the opening.
    public func encoded() -> [UInt8] {
        var body = OpeningBody()
        switch self {
        case .connect(let target, let options):
            body.append(options)
            body.append(target)
        case .listen(let transport, let address, let options):
            body.append(options)
            body.bytes.append(transport.rawValue)
            body.append(address)
        case .accepted(let lease, let source, let options):
            body.append(options)
            body.append(lease, width: 8)
            body.append(source)
        case .datagrams(let place, let options):
            body.append(options)
            switch place {
            case .target(let target):
                body.bytes.append(0)
                body.append(target)
            case .any: body.bytes.append(1)
            case .lease(let lease, let source):
                body.bytes.append(2)
                body.append(lease, width: 8)
                body.append(source)
            }
        case .enrol(let key, let name):
            body.bytes += key.rawBytes
            let name = Array(name.utf8.prefix(Opening.nameLimit))
            body.append(UInt64(name.count), width: 1)
            body.bytes += name
        }
        var bytes = Opening.magic + [kind.rawValue]
        bytes.append(UInt8(body.bytes.count >> 8))
        bytes.append(UInt8(body.bytes.count & 255))
        return bytes + body.bytes
    }
}
