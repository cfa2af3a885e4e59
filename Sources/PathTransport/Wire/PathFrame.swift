import PathTelemetry

/// A path's status as a peer announces it.
enum PathStatus: UInt8 {
    case available = 0
    case standby = 1
    case abandoned = 2
}

/// A frame about a path: its content, and how it is written and read.
///
/// A new frame is added here and in `Path+Frames.swift`, which defines when it is sent, what it
/// does, and whether it is repeated after a loss.
enum PathFrame {
    case status(path: PathID, sequence: UInt64, status: PathStatus)
    /// The client's name of a path.
    case name(path: PathID, sequence: UInt64, name: UnsafeRawBufferPointer)
    /// The wanted frequency of acknowledgements.
    case ackFrequency(packets: UInt64, delay: TimeDelta)

    /// The kinds that a packet in flight remembers; the raw value is the frame's type.
    enum Kind: UInt8, CaseIterable {
        case status = 0x12
        case name = 0x13
        case ackFrequency = 0x14
    }

    /// - Throws: `unknownKind` when no frame has the type.
    init(_ type: UInt8, _ reader: inout FrameReader) throws(FrameError) {
        guard let kind = Kind(rawValue: type) else { throw .unknownKind(type) }
        if kind == .ackFrequency {
            let packets = try reader.varint(type)
            let delay = try reader.varint(type)
            guard packets > 0, delay <= 1_000_000 else { throw .outOfRange(kind: type) }
            self = .ackFrequency(packets: packets, delay: .microseconds(Int64(delay)))
            return
        }
        let path = try reader.byte(type)
        let sequence = try reader.varint(type)
        if kind == .status {
            let status = try reader.byte(type)
            guard path < PathID.limit, let status = PathStatus(rawValue: status) else {
                throw .outOfRange(kind: type)
            }
            self = .status(path: PathID(rawValue: path), sequence: sequence, status: status)
        } else {
            let length = try reader.varint(type)
            guard path < PathID.limit, length <= 255 else { throw .outOfRange(kind: type) }
            self = .name(
                path: PathID(rawValue: path), sequence: sequence,
                name: try reader.bytes(Int(length), type))
        }
    }
}

extension PacketBuilder {
    mutating func status(_ status: PathStatus, of path: PathID, sequence: UInt64) {
        guard room >= 11, takesFrames else { return }
        writer.byte(PathFrame.Kind.status.rawValue)
        writer.byte(path.rawValue)
        writer.varint(sequence)
        writer.byte(status.rawValue)
        remember(.path(path, .status))
    }

    /// Returns false when it does not fit.
    mutating func name(_ name: [UInt8], of path: PathID, sequence: UInt64) -> Bool {
        guard room >= 12 + name.count, takesFrames else { return false }
        writer.byte(PathFrame.Kind.name.rawValue)
        writer.byte(path.rawValue)
        writer.varint(sequence)
        writer.varint(UInt64(name.count))
        writer.bytes(name)
        remember(.path(path, .name))
        return true
    }

    mutating func ackFrequency(packets: Int, delay: TimeDelta, of path: PathID) {
        guard room >= 13, takesFrames else { return }
        writer.byte(PathFrame.Kind.ackFrequency.rawValue)
        writer.varint(UInt64(max(1, packets)))
        writer.varint(UInt64(max(0, delay.microseconds)))
        remember(.path(path, .ackFrequency))
    }
}
