import PathTransport
import Pathwise
import Testing

/// Arguments that can only be mistakes are refused at once.
struct RefusedArgumentTests {
    @Test func aServerNeedsAnAddress() throws {
        #expect {
            _ = try Server(key: PrivateKey.generate(), clients: [], listen: [String]())
        } throws: {
            "\($0)" == "no address was given; give at least one, as HOST:PORT"
        }
    }

    @Test func aClientNeedsAnAddress() throws {
        let server = try PrivateKey.generate().publicKey
        #expect {
            _ = try ClientOptions(key: PrivateKey.generate(), server: server, to: [String]())
        } throws: {
            "\($0)" == "no address was given; give at least one, as HOST:PORT"
        }
    }

    @Test func aDeadlineLiesAhead() async throws {
        let pair = try SessionPair()
        let session = try await Session.connect(pair.options())
        for deadline in [Duration.zero, .milliseconds(-5)] {
            #expect {
                try session.sendMessage([1], deadline: deadline)
            } throws: {
                if case SessionError.deadline(deadline) = $0 { true } else { false }
            }
        }
        try session.sendMessage([1], deadline: .seconds(1))
        await session.close()
        await pair.server.close()
    }
}
