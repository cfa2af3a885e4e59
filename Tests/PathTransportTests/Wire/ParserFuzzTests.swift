import Testing

@testable import PathTelemetry
@testable import PathTransport

/// Every parser handles any bytes without a trap, and accepted values are within bounds.
@Suite struct ParserFuzzTests {
    @Test func framesTakeAnything() {
        var generator = SeededGenerator(seed: 1)
        var parsed = 0
        var refused = 0
        for index in 0..<Fuzz.count(40_000) {
            var input = Fuzz.frames(&generator)
            switch index % 4 {
            case 0: input = Fuzz.bytes(Fuzz.random(&generator, below: 100), &generator)
            case 1: break
            default: input = Fuzz.mutate(input, &generator)
            }
            input.withUnsafeBytes { bytes in
                var reader = FrameReader(bytes)
                while true {
                    do {
                        guard let frame = try reader.next() else { return }
                        parsed += 1
                        expectWithin(frame, reader.ack, bytes.count)
                    } catch {
                        refused += 1
                        return
                    }
                }
            }
        }
        #expect(parsed > 1000 && refused > 1000)
    }

    private func expectWithin(_ frame: Frame, _ ack: borrowing AckFrame, _ size: Int) {
        switch frame {
        case .stream(let data): precondition(data.data.count <= size)
        case .message(let data):
            precondition(data.data.count <= size && data.offset + data.data.count <= data.total)
        case .close(_, let reason): precondition(reason.count <= 256)
        case .ack:
            precondition(ack.rangeCount <= AckFrame.maximumRanges)
            precondition(ack.stampCount <= AckFrame.maximumStamps)
            for index in 0..<ack.rangeCount {
                let range = ack.range(index)
                precondition(range.first <= range.last && range.last <= ack.largest)
                if index > 0 { precondition(range.last < ack.range(index - 1).first) }
            }
        default: break
        }
    }

    /// Acknowledgements of all shapes survive writing and reading.
    @Test func acknowledgementsSurviveTheWire() throws {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<5000 {
            var received = ReceivedPackets()
            var number = generator.next() % 1_000_000
            var time = generator.next() % 1_000_000_000
            for _ in 0..<Fuzz.random(&generator, below: 80) + 1 {
                number += 1 + (generator.next() & 3 == 0 ? generator.next() % 9 : 0)
                time += generator.next() % 1000
                received.record(
                    number, isAckEliciting: true, stamp: time, receivedAt: .zero, now: .zero,
                    wantsAckAtOnce: false)
            }
            guard let frame = received.ackFrame(path: PathID(3), now: .zero + .milliseconds(2))
            else {
                Issue.record("no acknowledgement")
                return
            }
            var memory = [UInt8](repeating: 0, count: 1000)
            let length = memory.withUnsafeMutableBytes { bytes in
                var writer = ByteWriter(bytes)
                frame.write(to: &writer)
                return writer.overflowed ? 0 : writer.offset
            }
            #expect(length > 0 && length <= frame.maximumLength)
            var read = AckFrame(path: PathID(0), delay: .zero)
            try memory.withUnsafeBytes { bytes throws in
                var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[1..<length]))
                try read.read(&reader)
                #expect(reader.isAtEnd)
            }
            #expect(read.path == frame.path && read.delay == frame.delay)
            #expect(read.missing == frame.missing)
            #expect(read.rangeCount == frame.rangeCount && read.stampCount == frame.stampCount)
            for index in 0..<frame.rangeCount { #expect(read.range(index) == frame.range(index)) }
            for index in 0..<frame.stampCount { #expect(read.stamp(index) == frame.stamp(index)) }
        }
    }

    @Test func handshakeDatagramsTakeAnything() throws {
        var generator = SeededGenerator(seed: 3)
        var initiation = [UInt8](repeating: 0, count: 1200)
        let isWritten = initiation.withUnsafeMutableBytes {
            InitiationPacket.write(
                path: PathID(2), suite: 1, sender: 77, noise: Fuzz.bytes(200, &generator), to: $0)
        }
        #expect(isWritten)
        let token = try ResetMint(PrivateKey.generate()).token(of: 7)
        let seeds: [[UInt8]] = [
            initiation,
            ResponsePacket.encode(receiver: 1, sender: 2, noise: Fuzz.bytes(90, &generator)),
            RetryPacket.encode(receiver: 1, cookie: Fuzz.bytes(16, &generator)),
            RefusalPacket.encode(receiver: 1, reason: .busy), TransportParameters().encoded(),
            ResetPacket.encode(index: 7, token: token),
        ]
        let question = ServerQuestion().bytes
        var accepted = 0
        for index in 0..<Fuzz.count(40_000) {
            var input = seeds[index % seeds.count]
            if index % 10 >= 5 {
                input = Fuzz.mutate(input, &generator)
            } else if index % 20 < 5 {
                input = Fuzz.bytes(input.count, &generator)
                if !input.isEmpty, input.count != seeds[4].count { input[0] = UInt8(index % 5) }
            }
            input.withUnsafeBytes { bytes in
                if let packet = InitiationPacket(bytes) {
                    accepted += 1
                    precondition(packet.noise.count <= 1200)
                }
                if let packet = ResponsePacket(bytes) {
                    accepted += 1
                    precondition(packet.noise.count <= bytes.count)
                }
                if let packet = RetryPacket.parse(bytes) {
                    accepted += 1
                    precondition(packet.cookie.count == 16)
                }
                if RefusalPacket.parse(bytes) != nil { accepted += 1 }
                if let report = ServerReport.parse(bytes, question: question) {
                    precondition(report.report.mark.map { $0 < 4 } ?? true)
                    accepted += 1
                }
                if StalePacket(bytes) != nil { accepted += 1 }
                if ResetPacket.isValid(bytes, index: 7, token: token) { accepted += 1 }
                if let parameters = TransportParameters(bytes) {
                    accepted += 1
                    precondition(parameters.maximumStreams <= 1 << 20)
                    precondition(parameters.maximumDatagram >= 1200)
                }
                if let header = DataHeader(bytes) {
                    precondition(header.packetNumber <= DataHeader.largestPacketNumber)
                }
            }
            _ = HandshakePayload.content(input)
        }
        #expect(accepted > 1000)
    }

    @Test func transportParametersSurviveTheWire() throws {
        var parameters = TransportParameters()
        parameters.maximumData = 1 << 40
        parameters.maximumStreamData = 12_345
        parameters.maximumStreams = 3
        parameters.idleTimeout = .milliseconds(2500)
        parameters.maximumAckDelay = .microseconds(750)
        parameters.maximumDatagram = 1472
        parameters.maximumMessage = 100
        parameters.resetToken = ResetToken(high: 1 << 61 | 5, low: 1 << 61 | 1 << 40)
        let read = parameters.encoded().withUnsafeBytes { TransportParameters($0) }
        #expect(read == parameters && read?.resetToken?.low == 1 << 61 | 1 << 40)
        let usual = TransportParameters().encoded()
        #expect(usual.withUnsafeBytes { TransportParameters($0) } == TransportParameters())
        // Numbers of later versions are skipped.
        let longer = parameters.encoded() + [0x3f, 0x05]
        #expect(longer.withUnsafeBytes { TransportParameters($0) } == parameters)
        #expect([UInt8]([4, 1]).withUnsafeBytes { TransportParameters($0) } == nil)
    }
}
