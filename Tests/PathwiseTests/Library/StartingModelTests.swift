import PathLearning
import PathNetwork
import PathTransport
import Pathwise
import Testing

/// Tests which model a session starts from.
@Suite(.serialized, .timeLimit(.minutes(1))) struct StartingModelTests {
    /// `learned` has the shipped model on both sides by default, or none if requested.
    @Test func learnedFindsTheShippedModel() async throws {
        let shipped = try ShippedModel.load().hash
        #expect(shipped != 0)
        for (model, expected) in [(StartingModel.shipped, shipped), (.untrained, 0)] {
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
            #expect(session.status().modelHash == expected)
            #expect(try await within(.seconds(10)) { await serving.value } == expected)
            await session.close()
            await server.close()
        }
    }

    @Test func otherPoliciesStartWithoutOne() throws {
        for policy in PolicySpecification.catalogue where policy.name != "learned" {
            guard let specification = try? PolicySpecification(parsing: policy.name) else {
                continue
            }
            #expect(try StartingModel.shipped.load(for: specification) == nil, "\(policy.name)")
        }
        let model = try ShippedModel.load()
        #expect(try StartingModel.given(model).load(for: .minRTT)?.hash == model.hash)
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
