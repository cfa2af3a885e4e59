import PathTelemetry
import PathTransport
import Testing

@testable import PathForward

/// Headers of datagrams, and those that come before their opening.
struct DatagramWireTests {
    private func encoded(_ header: DatagramHeader) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: header.length)
        bytes.withUnsafeMutableBytes { header.write(into: $0) }
        return bytes
    }

    @Test func headersSurviveTheWire() throws {
        for flow in [0, 63, 64, 16_383, 16_384, 1 << 30 - 1, 1 << 30, 1 << 62 - 1] as [UInt64] {
            for sequence in [nil, 0, 63, 70_000, 1 << 62 - 1] as [UInt64?] {
                let header = DatagramHeader(flow: flow, trafficClass: 0xb9, sequence: sequence)
                let bytes = encoded(header)
                #expect(bytes.count <= DatagramHeader.longest)
                try bytes.withUnsafeBytes { raw in
                    let (read, length) = try #require(DatagramHeader.read(raw))
                    #expect(read.flow == flow && read.trafficClass == 0xb9)
                    let rest = UnsafeRawBufferPointer(rebasing: raw[length...])
                    #expect(DatagramHeader.number(rest)?.value == sequence)
                    #expect(length + (DatagramHeader.number(rest)?.length ?? 0) == raw.count)
                }
                // Without a sequence each prefix is too short.
                if sequence == nil {
                    for count in 0..<bytes.count {
                        let isRead = bytes[..<count].withUnsafeBytes {
                            DatagramHeader.read($0) != nil
                        }
                        #expect(!isRead)
                    }
                }
            }
        }
        #expect(encoded(DatagramHeader(flow: 5, trafficClass: 2)) == [5, 2])
        #expect(
            encoded(DatagramHeader(flow: 300, trafficClass: 0, sequence: 7)) == [0x41, 0x2c, 0, 7])
    }

    @Test func hostsAreThoseOfSOCKS() throws {
        let four = SocketAddress(ipv4: 0x0a00_0005, port: 53)
        let six = SocketAddress(ipv6High: 0x2001_0db8_0000_0000, low: 7, port: 443)
        for (address, length) in [(four, 7), (six, 19)] {
            var bytes = [UInt8](repeating: 0, count: DatagramHost.length(address)) + [1, 2]
            #expect(bytes.count == length + 2)
            bytes.withUnsafeMutableBytes { DatagramHost.write(address, into: $0) }
            let read = bytes.withUnsafeBytes { DatagramHost.read($0) }
            #expect(read?.host == .address(address) && read?.length == length)
            for count in 0..<length {
                #expect(bytes[..<count].withUnsafeBytes { DatagramHost.read($0) == nil })
            }
        }
        func read(_ bytes: [UInt8]) -> (host: DatagramHost, length: Int)? {
            bytes.withUnsafeBytes { DatagramHost.read($0) }
        }
        let name = Array("a.example".utf8)
        let target = try #require(ForwardTarget(host: "a.example", port: 0x1234))
        #expect(read([3, 9] + name + [0x12, 0x34])?.host == .name(target))
        #expect(read([3, 9] + name + [0x12]) == nil)
        // A name may be an address in text.
        #expect(read([3, 8] + Array("10.0.0.5".utf8) + [0, 53])?.host == .address(four))
        // Port 0, unknown kinds, empty names, spaces, and bytes that are no text.
        #expect(read([1, 10, 0, 0, 5, 0, 0]) == nil)
        #expect(read([2, 10, 0, 0, 5, 0, 53]) == nil)
        #expect(read([3, 0, 0, 53]) == nil)
        #expect(read([3, 2, 0x20, 0x61, 0, 53]) == nil)
        #expect(read([3, 2, 0xff, 0xfe, 0, 53]) == nil)
    }

    @Test func fragmentsAndMalformedSOCKSHeadersAreDropped() {
        func target(_ bytes: [UInt8]) -> Int? {
            bytes.withUnsafeBytes { SocksDatagram.target(in: $0)?.count }
        }
        let fair: [UInt8] = [0, 0, 0, 1, 127, 0, 0, 1, 0, 53, 9, 9]
        #expect(target(fair) == 9)
        for index in 0..<3 {
            var other = fair
            other[index] = 1
            #expect(target(other) == nil)
        }
        for count in 0..<10 { #expect(target(Array(fair[..<count])) == nil) }
    }

    /// Mutants of headers never trap, and what is read lies within the message.
    @Test func mutantsOfHeaders() {
        var random = SeededGenerator(seed: 11)
        let seeds: [[UInt8]] = [
            [5, 2, 1, 127, 0, 0, 1, 0, 53, 7], [0xc0, 0, 0, 0, 0, 0, 1, 0, 0xb8, 3, 1, 0x61, 1, 1],
            [0x41, 0x2c, 0, 7, 4] + [UInt8](repeating: 3, count: 18), [],
            [0x80, 1, 2, 3, 1, 0x40, 9],
        ]
        var read = 0
        for _ in 0..<Fuzz.count(20_000) {
            let bytes = Fuzz.mutate(
                seeds[Fuzz.random(&random, below: seeds.count)], &random)
            bytes.withUnsafeBytes { raw in
                guard let (header, length) = DatagramHeader.read(raw) else { return }
                read += 1
                #expect(length >= 2 && length <= raw.count && header.flow < 1 << 62)
                let rest = UnsafeRawBufferPointer(rebasing: raw[length...])
                if let (value, count) = DatagramHeader.number(rest) {
                    #expect(value < 1 << 62 && count <= rest.count)
                }
                if let (_, count) = DatagramHost.read(rest) { #expect(count <= rest.count) }
                if let inner = SocksDatagram.target(in: rest) { #expect(inner.count < rest.count) }
            }
        }
        #expect(read > 1000)
    }

    @Test func earlyDatagramsAreBounded() {
        var early = EarlyDatagrams()
        let now = Instant.zero + .seconds(5)
        func keep(_ flow: UInt64, _ count: Int, at time: Instant) {
            [UInt8](repeating: UInt8(flow & 0xff), count: count).withUnsafeBytes {
                early.keep($0, flow: flow, now: time)
            }
        }
        for _ in 0..<68 { keep(4, 100, at: now) }
        #expect(early.dropped == 4)
        let taken = early.take(4, now: now)
        #expect(taken.count == 64 && taken.allSatisfy { $0.bytes.count == 103 })
        #expect(early.bytes == 0 && early.flowCount == 0)
        for flow in 0..<100 { keep(UInt64(flow), 10, at: now) }
        #expect(early.flowCount == 64 && early.dropped == 4 + 36)
        // Later flows take the place of those whose time is over.
        let later = now + .seconds(11)
        keep(200, 10, at: later)
        #expect(early.flowCount == 1 && early.dropped == 4 + 36 + 64)
        for flow in 300..<340 { keep(UInt64(flow), 60_000, at: later) }
        #expect(early.bytes <= 256 << 10 && early.flowCount == 5)
        // What waited too long is not handed over any more.
        #expect(early.take(200, now: later + .seconds(11)).isEmpty)
    }
}
