import PathNetwork
import PathTelemetry
import Testing

@testable import PathTransport
@testable import Pathwise
@testable import PathwiseCommand

/// Who is admitted, and what the log says of those who are not.
@Suite struct AdmissionTests {
    /// Late first messages of a client's slower paths are no refusals.
    ///
    /// They arrive when its token is used already. Another host later, and another program of the same host,
    /// are told.
    @Test func slowPathsOfAnEnrolmentAreNoRefusals() throws {
        let scratch = Scratch()
        let state = try ServerState.opened(StateFolder(scratch.file("server")))
        let token = try PendingTokens.add(
            to: state.folder, server: state.key.publicKey, serverName: "vm",
            addresses: ["192.0.2.1:7000"], name: nil, expires: 2_000, now: 1_000)
        let admission = try Admission(state.folder, serverKey: state.key.publicKey)
        let used = token.enrolment.publicKey
        let before = MonotonicClock.now()
        let name = try admission.enrol(
            token: used, as: PrivateKey.generate().publicKey, name: "van",
            from: ["198.51.100.7:4001"], now: 1_001)
        #expect(name == "van")
        admission.answered(used)
        func refusal(_ remote: String, after delay: TimeDelta) throws -> String? {
            let address = try #require(SocketAddress(parsing: remote))
            return admission.refusal(
                of: RefusedClient(key: used, remote: address, reason: .unknownClient),
                at: before + delay)
        }
        let told = "its token was used or withdrawn"
        #expect(try refusal("198.51.100.7:4001", after: .seconds(60)) == nil)
        #expect(try refusal("203.0.113.9:4002", after: .milliseconds(300)) == nil)
        #expect(try refusal("203.0.113.9:4002", after: .seconds(30)) == told)
        #expect(try refusal("198.51.100.7:4003", after: .milliseconds(300)) == told)
    }
}
