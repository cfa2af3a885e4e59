import PathTelemetry
import Testing

@testable import PathTransport

/// The largest messages, and a peer that takes only smaller ones.
@Suite struct MessageSizeTests {
    /// Messages of every size around the limits arrive whole, in a buffer of the caller.
    @Test func largestMessagesArrive() throws {
        var pair = try ConnectionPair()
        pair.run(milliseconds: 50)
        let sizes = [65_536, 0, 65_507, 1, 60_001]
        for (index, size) in sizes.enumerated() {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index) }
            let now = pair.now
            let number = try bytes.withUnsafeBytes {
                try pair.client.sendMessage($0, options: MessageOptions(), now: now)
            }
            #expect(number == UInt64(index))
        }
        pair.run(milliseconds: 200)
        var received: [[UInt8]] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { room.deallocate() }
        pair.box?.with { server in
            while let length = server.nextMessageLength {
                // A buffer that is too small takes nothing away.
                if length > 0 {
                    let small = UnsafeMutableRawBufferPointer(rebasing: room[..<(length - 1)])
                    #expect(server.receiveMessage(into: small) == nil)
                }
                #expect(server.receiveMessage(into: room) == length)
                received.append(Array(room[..<length]))
            }
            #expect(server.receiveMessage(into: room) == nil)
        }
        #expect(received.count == sizes.count)
        for bytes in received {
            let index = try #require(sizes.firstIndex(of: bytes.count))
            let isWhole = bytes.indices.allSatisfy {
                bytes[$0] == UInt8(truncatingIfNeeded: $0 &* 7 &+ index)
            }
            #expect(isWhole, "\(bytes.count) bytes")
        }
    }

    /// A message that expires while it is polled is reported at once, and not with the next timer.
    @Test func expiryIsReportedAtOnce() throws {
        var pair = try ConnectionPair()
        pair.run(milliseconds: 50)
        while pair.client.pollEvent() != nil {}
        let now = pair.now
        let number = try [UInt8](repeating: 1, count: 10).withUnsafeBytes {
            let options = MessageOptions(deadline: now + .milliseconds(1))
            return try pair.client.sendMessage($0, options: options, now: now)
        }
        pair.now = now + .milliseconds(2)
        pair.exchange()
        guard case .messageExpired(let told) = pair.client.pollEvent() else {
            Issue.record("the expiry is not reported")
            return
        }
        #expect(told == number)
        #expect(pair.box?.with { $0.receiveMessage() == nil } == true)
    }

    /// The sender keeps to the size that the peer announced.
    @Test func peersLimitHolds() throws {
        var configuration = ConnectionConfiguration()
        configuration.parameters.maximumMessage = 1000
        var pair = try ConnectionPair(configuration: configuration)
        pair.run(milliseconds: 50)
        let now = pair.now
        let bytes = [UInt8](repeating: 9, count: 1001)
        #expect(throws: StreamError.messageSize(bytes: 1001, limit: 1000)) {
            _ = try bytes.withUnsafeBytes {
                try pair.client.sendMessage($0, options: MessageOptions(), now: now)
            }
        }
        let number = try bytes.withUnsafeBytes {
            let fitting = UnsafeRawBufferPointer(rebasing: $0[..<1000])
            return try pair.client.sendMessage(fitting, options: MessageOptions(), now: now)
        }
        #expect(number == 0)
        pair.run(milliseconds: 50)
        #expect(pair.box?.with { $0.receiveMessage()?.bytes.count } == 1000)
    }
}
