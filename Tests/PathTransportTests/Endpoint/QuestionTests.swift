import PathTelemetry
import Testing

@testable import PathTransport

/// A server that is asked, without a key, whether it answers and what it sees.
@Suite struct QuestionTests {
    private static let sources = [
        "198.51.100.7:4711", "[2001:db8::7]:65535", "0.0.0.0:0", "[ffff:ffff::ffff]:1",
    ]

    /// The answer tells address and mark, is smaller than the question, and leaves nothing behind.
    @Test(arguments: sources, [UInt8?.none, 0, 1, 2, 3, 0xba])
    func theServerTellsWhatItSees(text: String, trafficClass: UInt8?) throws {
        var bench = try HandshakeBench(clients: [])
        let source = try #require(SocketAddress(parsing: text))
        let question = ServerQuestion()
        #expect(question.bytes.count == 1_200)
        let answers = bench.give(question.bytes, from: source, trafficClass: trafficClass)
        #expect(answers.map(\.count) == [26])
        let report = try answers[0].withUnsafeBytes { bytes in
            #expect(question.isAnswer(bytes))
            return try #require(question.report(in: bytes))
        }
        #expect(report.source == source)
        #expect(report.mark == trafficClass.map { $0 & 3 })
        #expect(bench.server.statistics.questions == 1)
        #expect(bench.server.statistics.refusedWrongKey == 0)
        #expect(bench.server.pollTimeout() == .distantFuture, "something is kept")
        #expect(bench.server.boxes.isEmpty)
    }

    /// A translator that replaces addresses in datagrams does not find this one.
    @Test func theAddressIsMasked() throws {
        var bench = try HandshakeBench(clients: [])
        let source = try #require(SocketAddress(parsing: "198.51.100.7:4711"))
        var plain = 0
        for _ in 0..<50 {
            let answer = try #require(bench.give(ServerQuestion().bytes, from: source).first)
            if answer[8..<12].elementsEqual([198, 51, 100, 7]) { plain += 1 }
        }
        #expect(plain <= 1)
    }

    /// An answer to another question, or a changed one, is none; a refusal of an older server is.
    @Test func answersOfOthers() throws {
        var bench = try HandshakeBench(clients: [])
        let (mine, other) = (ServerQuestion(), ServerQuestion())
        var answer = try bench.answer(to: other.bytes)
        #expect(answer.withUnsafeBytes { mine.report(in: $0) } == nil)
        #expect(answer.withUnsafeBytes { mine.isAnswer($0) } == false)
        for (offset, value) in [(0, UInt8(8)), (1, 5), (2, 4), (2, 254)] {
            var changed = answer
            changed[offset] = value
            #expect(changed.withUnsafeBytes { other.report(in: $0) } == nil, "byte \(offset)")
        }
        answer.append(0)
        #expect(answer.withUnsafeBytes { other.report(in: $0) } == nil)
        let sender = mine.bytes[4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let refusal = RefusalPacket.encode(receiver: sender, reason: .wrongServerKey)
        #expect(refusal.withUnsafeBytes { mine.isAnswer($0) })
        #expect(refusal.withUnsafeBytes { mine.report(in: $0) } == nil)
    }

    /// An initiation with a wrong authenticator that is no question is refused as before.
    @Test func aWrongKeyIsRefused() throws {
        let key = try PrivateKey.generate()
        var bench = try HandshakeBench(clients: [key.publicKey])
        var client = try bench.client(key, stamp: 2_000)
        var message = try bench.message(of: &client)
        message[InitiationPacket.authenticatorOffset] ^= 1
        #expect(try bench.answer(to: message).count == RefusalPacket.length)
        #expect(bench.server.statistics.questions == 0)
        #expect(bench.server.statistics.refusedWrongKey == 1)
    }
}
