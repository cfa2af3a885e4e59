import DenseMath
import PathNetwork
import PathTransport
import Pathwise
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Tests which model a session starts from.
@Suite(.serialized, .timeLimit(.minutes(1))) struct StartingModelTests {
    /// Both sides start from the model that they are given, and from none otherwise.
    @Test func aSessionStartsFromTheModelThatItIsGiven() async throws {
        let size = FeatureSchema.count
        let given = try Model(
            residual: RidgeModel(
                head: LinearHead(
                    weights: (0..<size).map { Double($0) / 100 }, intercept: 0,
                    precision: Matrix(diagonal: 1, size: size + 1), totalWeight: 1, lambda: 1)),
            notes: [:])
        for model in [nil, given] {
            let key = try PrivateKey.generate()
            let clientKey = try PrivateKey.generate()
            let server = try Server(
                ServerConfiguration(
                    key: key, clients: [clientKey.publicKey: .none], policy: .learned()),
                listen: [.loopback(port: 0)], model: model)
            let serving = Task {
                for await session in server.sessions { return session.status().modelHash }
                return 1
            }
            var options = try ClientOptions(
                key: clientKey, server: key.publicKey, to: server.localAddresses)
            options.model = model
            let session = try await Session.connect(options)
            let expected = model?.hash ?? 0
            #expect(session.status().modelHash == expected)
            #expect(try await within(.seconds(10)) { await serving.value } == expected)
            await session.close()
            await server.close()
        }
        #expect(given.hash != 0)
    }

    /// A path that the policy names is found among the plans; another name is refused.
    @Test func pathsAreNamedInPolicies() async throws {
        let pair = try SessionPair()
        var options = pair.options()
        options.policy = try PolicySpecification(parsing: "single:sat")
        let session = try await Session.connect(options)
        #expect(session.status().policy == "single")
        await session.close()
        options.policy = try PolicySpecification(parsing: "single:lte")
        let error = await #expect(throws: SessionError.self) {
            _ = try await Session.connect(options)
        }
        guard case .learning(.unknownPath(name: "lte", known: ["dsl", "sat"]))? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        await pair.server.close()
    }

    /// Names of servers are resolved, once each; a name without an address is refused.
    @Test func serversAreFoundByName() throws {
        let key = try PrivateKey.generate()
        let options = try ClientOptions(
            key: key, server: key.publicKey,
            to: ["127.0.0.1:70", "127.0.0.2:70", "127.0.0.1:70", "localhost:71"])
        #expect(options.plans.map(\.name) == ["path1", "path2", "path3"])
        #expect(options.planner?.remotes.count == 3)
        for text in ["127.0.0.1", "a b:1", ""] {
            #expect(throws: SessionError.self) {
                _ = try ClientOptions(key: key, server: key.publicKey, to: [text])
            }
        }
    }
}
