import PathTelemetry
import PathTransport

extension Opening {
    /// Reads an opening from the first bytes of a stream.
    ///
    /// - Returns: the opening and its length; nil if more bytes are needed.
    /// - Throws: `malformedOpening`; a stream that begins otherwise is no forwarding stream.
    public static func read(
        _ bytes: some Collection<UInt8>
    ) throws(ForwardError) -> (opening: Opening, length: Int)? {
        let fixed = Array(bytes.prefix(fixedLength))
        guard fixed.prefix(4).elementsEqual(magic.prefix(fixed.count)) else {
            throw .malformedOpening("a stream that is no forward")
        }
        guard fixed.count == fixedLength else { return nil }
        let count = Int(fixed[5]) << 8 | Int(fixed[6])
        guard count <= bodyLimit else {
            throw .malformedOpening("an opening of \(count) bytes")
        }
        guard let kind = Kind(rawValue: fixed[4]) else {
            throw .malformedOpening("an opening of kind \(fixed[4])")
        }
        let body = Array(bytes.dropFirst(fixedLength).prefix(count))
        guard body.count == count else { return nil }
        var reader = OpeningBodyReader(bytes: body)
        guard let opening = reader.opening(kind), reader.isAtEnd else {
            throw .malformedOpening("the body of an opening of kind \(fixed[4])")
        }
        return (opening, fixedLength + count)
    }
}

/// Writes the parts of an opening.
struct OpeningBody {
    var bytes: [UInt8] = []

    mutating func append(_ number: UInt64, width: Int) {
        for index in (0..<width).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }

    mutating func append(_ target: ForwardTarget) {
        append(UInt64(target.port), width: 2)
        append(UInt64(target.host.utf8.count), width: 1)
        bytes += Array(target.host.utf8)
    }

    mutating func append(_ options: FlowOptions) {
        bytes.append(options.namedClass?.rawValue ?? OpeningBody.noClass)
        append(OpeningBody.microseconds(options.deadline), width: 4)
        append(options.ordered.map { OpeningBody.microseconds($0) } ?? 0, width: 4)
        append(UInt64(min(max(0, options.redundancyPermille), 1000)), width: 2)
    }

    /// The byte of a forward whose class was not named.
    fileprivate static let noClass: UInt8 = 3

    private static func microseconds(_ time: TimeDelta) -> UInt64 {
        UInt64(min(max(1, time.microseconds), Int64(UInt32.max)))
    }
}

/// Reads the parts of an opening; nil at the end, and for values out of range.
struct OpeningBodyReader {
    let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func opening(_ kind: Opening.Kind) -> Opening? {
        if kind == .enrol { return enrolment() }
        guard let options = options() else { return nil }
        switch kind {
        case .connect: return connectable().map { .connect($0, options) }
        case .listen:
            guard let byte = take(1)?.first, let transport = Opening.Transport(rawValue: byte),
                let address = target()
            else { return nil }
            return .listen(transport, on: address, options)
        case .accepted:
            guard let lease = number(width: 8), let source = target() else { return nil }
            return .accepted(lease: lease, from: source, options)
        case .datagrams: return datagramTarget().map { .datagrams($0, options) }
        case .enrol: return nil
        }
    }

    private mutating func enrolment() -> Opening? {
        guard let bytes = take(32), let key = PublicKey(Array(bytes)),
            let count = number(width: 1), let name = text(Int(count))
        else { return nil }
        return .enrol(key: key, name: name)
    }

    private mutating func datagramTarget() -> Opening.DatagramTarget? {
        switch take(1)?.first {
        case 0: return connectable().map { .target($0) }
        case 1: return .any
        case 2:
            guard let lease = number(width: 8), let source = target() else { return nil }
            return .lease(lease, source: source)
        default: return nil
        }
    }

    private mutating func connectable() -> ForwardTarget? {
        guard let target = target(), target.port != 0 else { return nil }
        return target
    }

    mutating func target() -> ForwardTarget? {
        guard let port = number(width: 2), let count = number(width: 1),
            let host = text(Int(count))
        else { return nil }
        return ForwardTarget(host: host, port: UInt16(truncatingIfNeeded: port))
    }

    private mutating func options() -> FlowOptions? {
        guard let byte = take(1)?.first,
            case let flowClass = StreamPriority(rawValue: byte),
            flowClass != nil || byte == OpeningBody.noClass, let deadline = number(width: 4),
            let ordered = number(width: 4), let redundancy = number(width: 2), redundancy <= 1000
        else { return nil }
        let options = FlowOptions(
            deadline: .microseconds(Int64(deadline)), flowClass: flowClass,
            ordered: ordered == 0 ? nil : .microseconds(Int64(ordered)),
            redundancyPermille: Int(redundancy))
        guard FlowOptions.deadlines.contains(options.deadline) else { return nil }
        if let hold = options.ordered, !FlowOptions.holds.contains(hold) { return nil }
        return options
    }

    private mutating func text(_ count: Int) -> String? {
        guard let bytes = take(count) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private mutating func number(width: Int) -> UInt64? {
        take(width)?.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= bytes.count - position else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
