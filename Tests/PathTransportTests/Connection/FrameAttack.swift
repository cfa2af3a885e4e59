import PathTelemetry

@testable import PathTransport

/// Malicious frames under valid keys: each field is valid, at a limit, or close to the victim's
/// state.
struct FrameAttack {
    /// The attacker's knowledge of the victim when it makes a payload.
    struct Target {
        var isServer: Bool
        /// The next packet number of each of its first paths.
        var nextNumbers: [UInt64]
        /// How far its stream windows go.
        var window: UInt64
        /// The latest challenges that it sent.
        var tokens: [UInt64]
        /// How many streams of each kind it has opened.
        var opened: (bidirectional: UInt64, unidirectional: UInt64)
    }

    var generator: SeededGenerator
    /// Streams of one kind from this index on are ended by the attacker; those below are not.
    private static let firstEnded = 40
    private var message: UInt64 = 0

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func below(_ bound: Int) -> Int { Fuzz.random(&generator, below: bound) }
    private mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }

    /// A run of one to six frames; one payload in about a hundred is also damaged.
    mutating func payload(_ target: Target) -> [UInt8] {
        let count = 1 + below(6)
        var bytes = [UInt8](unsafeUninitializedCapacity: 1400) { memory, used in
            var writer = ByteWriter(UnsafeMutableRawBufferPointer(memory))
            for _ in 0..<count {
                append(&writer, target)
                // Frames that did not fit completely are left out.
                if writer.overflowed { break }
                used = writer.offset
            }
        }
        if chance(100) { bytes = Fuzz.mutate(bytes, &generator) }
        return bytes
    }

    /// A number near a relevant one, at the limit of a varint, or arbitrary.
    private mutating func near(_ value: UInt64) -> UInt64 {
        let largest: UInt64 = 1 << 62 - 1
        switch below(12) {
        case 0: return 0
        case 1: return largest
        case 2: return largest - UInt64(below(70_000))
        case 3: return Fuzz.number(&generator) & largest
        case 4, 5: return min(largest, value &+ UInt64(below(3)))
        case 6: return value - min(value, UInt64(below(3)))
        default: return value == 0 ? 0 : generator.next() % (value + 1)
        }
    }

    /// A stream that the attacker may write to, or (`sends` is false) that the victim writes to;
    /// now and then any other.
    private mutating func stream(_ target: Target, sends: Bool, ended: Bool = false) -> UInt64 {
        if chance(400) { return near(256) }
        let theirs: UInt64 = target.isServer ? 1 : 0
        let ours = 1 - theirs
        let opened = sends ? 0 : target.opened.unidirectional
        if target.opened.bidirectional + opened > 0, chance(3) {
            // Opened by the victim; its unidirectional ones only take control frames.
            if opened > 0, target.opened.bidirectional == 0 || chance(2) {
                return (generator.next() % opened) << 2 | 2 | theirs
            }
            return (generator.next() % target.opened.bidirectional) << 2 | theirs
        }
        let index = UInt64(
            ended
                ? FrameAttack.firstEnded + below(24)
                : below(chance(4) ? FrameAttack.firstEnded : 3))
        return index << 2 | (sends && chance(2) ? 2 : 0) | ours
    }

    private mutating func append(_ writer: inout ByteWriter, _ target: Target) {
        let kinds: [UInt8] = [
            0x00, 0x01, 0x02, 0x02, 0x02, 0x02, 0x04, 0x05, 0x06, 0x07, 0x08, 0x08, 0x08, 0x08,
            0x08,
            0x08, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x14, 0x15, 0x15, 0x15, 0x16, 0x17,
            0x18,
        ]
        let kind = kinds[below(kinds.count)]
        switch kind {
        case FrameKind.ack: acknowledgement(&writer, target)
        case FrameKind.stream: streamData(&writer, target)
        case FrameKind.message: messageFragment(&writer)
        case FrameKind.resetStream:
            let isFair = !chance(40)
            writer.byte(kind)
            writer.varint(stream(target, sends: true, ended: isFair))
            writer.varint(near(7))
            writer.varint(isFair ? FrameAttack.finalSize : near(target.window))
        case FrameKind.pathChallenge, FrameKind.pathResponse:
            writer.byte(kind)
            let known = target.tokens.isEmpty ? 0 : target.tokens[below(target.tokens.count)]
            writer.uint64(chance(2) ? known : generator.next())
        case PathFrame.Kind.status.rawValue:
            writer.byte(kind)
            writer.byte(UInt8(below(chance(300) ? 18 : 16)))
            writer.varint(near(40))
            // Mostly not "abandoned", or nothing would be left to attack.
            writer.byte(UInt8(chance(8) ? 2 + below(chance(40) ? 3 : 1) : below(2)))
        case PathFrame.Kind.ackFrequency.rawValue:
            writer.byte(kind)
            writer.varint(chance(300) ? near(4) : 1 + UInt64(below(2_000)))
            writer.varint(chance(300) ? near(1_000_000) : UInt64(below(1_000_000)))
        case FrameKind.close:
            // This is rare, as it ends the connection.
            guard chance(16) else { return writer.byte(FrameKind.ping) }
            writer.byte(kind)
            writer.varint(near(1))
            let length = below(chance(4) ? 300 : 257)
            writer.varint(UInt64(length))
            writer.bytes(Fuzz.bytes(min(length, writer.room), &generator))
        case FrameKind.padding, FrameKind.ping: writer.byte(kind)
        default: control(kind, &writer, target)
        }
    }

    private mutating func control(
        _ kind: UInt8, _ writer: inout ByteWriter, _ target: Target
    ) {
        writer.byte(kind)
        switch kind {
        case FrameKind.maxStreamData, FrameKind.streamDataBlocked, FrameKind.stopSending:
            // STREAM_DATA_BLOCKED is about what the attacker sends, the others about the victim's half.
            writer.varint(stream(target, sends: kind == FrameKind.streamDataBlocked))
            writer.varint(near(target.window))
        case FrameKind.maxStreams, FrameKind.maxStreamsUnidirectional, FrameKind.streamsBlocked,
            FrameKind.streamsBlockedUnidirectional:
            writer.varint(chance(200) ? near(StreamID.limit) : UInt64(below(300)))
        default: writer.varint(near(target.window))
        }
    }

    /// Ranges over what the victim sent, now and then over what it did not, with any stamps.
    private mutating func acknowledgement(_ writer: inout ByteWriter, _ target: Target) {
        let path = below(max(1, target.nextNumbers.count))
        let next = path < target.nextNumbers.count ? target.nextNumbers[path] : 0
        let isLie = chance(400)
        guard next > 0 || isLie else { return writer.byte(FrameKind.ping) }
        let largest = isLie ? near(next) : generator.next() % next
        writer.byte(FrameKind.ack)
        writer.byte(UInt8(chance(400) ? below(18) : path))
        writer.varint(largest)
        writer.varint(chance(400) ? near(10_000_000) : UInt64(below(10_000_001)))
        var left = largest
        let first = length(&left)
        var ranges: [(gap: UInt64, length: UInt64)] = []
        for _ in 0..<below(chance(4) ? 32 : 4) where left >= 2 {
            let gap = UInt64(below(Int(min(left - 1, 6))))
            left -= gap + 2
            ranges.append((gap, length(&left)))
        }
        writer.varint(chance(500) ? near(UInt64(ranges.count)) : UInt64(ranges.count))
        writer.varint(first)
        for range in ranges {
            writer.varint(range.gap)
            writer.varint(range.length)
        }
        let stamps = below(chance(400) ? 18 : chance(4) ? 17 : 3)
        writer.varint(UInt64(stamps))
        var below = largest
        var time = chance(20) ? near(1 << 62 - 1) : UInt64(self.below(1 << 40))
        for index in 0..<stamps {
            let step = chance(2_000) ? near(below) : UInt64(self.below(Int(min(below, 8)) + 1))
            writer.varint(step)
            below -= min(below, step)
            let earlier = chance(2_000) ? near(time) : generator.next() % (time + 1)
            writer.varint(index == 0 ? time : earlier)
            if index > 0 { time -= min(time, earlier) }
        }
    }

    /// The length of a range less one, and what is left below it.
    private mutating func length(_ left: inout UInt64) -> UInt64 {
        if chance(1_000) { return near(left) }
        let value = left == 0 ? 0 : generator.next() % (min(left, 40) + 1)
        left -= value
        return value
    }

    /// Where streams end that are ended as they should be.
    private static let finalSize: UInt64 = 130_000

    private mutating func streamData(_ writer: inout ByteWriter, _ target: Target) {
        let isFinal = chance(20)
        let hasLength = !chance(30)
        var length = below(chance(5) ? 1_200 : 4)
        var offset: UInt64
        switch below(400) {
        case 0: offset = near(target.window)
        case 1: offset = near(FrameAttack.finalSize)
        // Small pieces far apart: gaps.
        case 2...200: offset = UInt64(below(60_000)) * 2
        default: offset = UInt64(below(5_000))
        }
        let isFair = !chance(40)
        if isFinal, isFair {
            length = min(length, 100)
            offset = FrameAttack.finalSize - UInt64(length)
        }
        writer.byte(FrameKind.stream | (isFinal ? 1 : 0) | (hasLength ? 2 : 0))
        writer.varint(stream(target, sends: true, ended: isFinal && isFair))
        writer.varint(offset)
        if hasLength { writer.varint(chance(1_000) ? near(UInt64(length)) : UInt64(length)) }
        writer.bytes(Fuzz.bytes(length, &generator))
    }

    private mutating func messageFragment(_ writer: inout ByteWriter) {
        if chance(3) { message += UInt64(below(chance(20) ? 20_000 : 3)) }
        let back = UInt64(below(chance(10) ? 10_000 : 4))
        let number = chance(400) ? near(MessageLimits.number) : message - min(message, back)
        // All fragments of a message say the same of its size, but for the odd one.
        let size = number &* 0x9e37_79b9_7f4a_7c15 >> 40
        let total = chance(400) ? near(65_536) : size % (size % 5 == 0 ? 65_537 : 900)
        let most = min(total, 400)
        let length = chance(400) ? near(total) : most == 0 ? 0 : 1 + generator.next() % most
        let room = total - min(total, length)
        let offset = chance(400) ? near(total) : generator.next() % (room + 1)
        writer.byte(FrameKind.message)
        writer.varint(number)
        writer.varint(total)
        writer.varint(offset)
        writer.varint(chance(400) ? near(3_600_000_000) : UInt64(below(200_000)))
        writer.varint(length)
        writer.bytes(Fuzz.bytes(Int(min(length, 1_400)), &generator))
    }
}
