import PathTransport
import Testing

@testable import PathNetwork

struct InterfaceListTests {
    @Test func listHasLoopbackWhenAsked() throws {
        let all = try InterfaceWatcher.list(includingLoopback: true)
        let loopback = try #require(all.first { $0.isLoopback })
        #expect(loopback.addresses.contains { $0.address == ipv4Loopback })
        #expect(loopback.mtu >= 1_280)
        let usual = try InterfaceWatcher.list()
        #expect(usual.allSatisfy { !$0.isLoopback })
        #expect(usual.allSatisfy { !($0.addresses + $0.linkLocalAddresses).isEmpty })
        #expect(usual.allSatisfy { $0.linkLocalAddresses.allSatisfy { $0.address.isLinkLocal } })
        #expect(all.count > usual.count)
    }

    @Test func nothingChangesByItself() throws {
        var watcher = try InterfaceWatcher(includingLoopback: true)
        let before = watcher.interfaces
        #expect(try watcher.readChanges().allSatisfy { $0 == .routesChanged })
        #expect(watcher.interfaces == before)
    }
}

struct ResolverTests {
    @Test func literalsNeedNoNameServer() throws {
        #expect(
            try Resolver.resolve("192.0.2.1:50") == [SocketAddress(ipv4: 0xc000_0201, port: 50)])
        #expect(try Resolver.resolve("[::1]:50") == [ipv6Loopback.with(port: 50)])
        #expect(try Resolver.resolve("192.0.2.1", defaultPort: 7).first?.port == 7)
        #expect(try Resolver.resolve("::1", defaultPort: 7) == [ipv6Loopback.with(port: 7)])
    }

    @Test func localhostIsLoopback() throws {
        let addresses = try Resolver.resolve("localhost:4000")
        #expect(!addresses.isEmpty)
        #expect(addresses.allSatisfy { $0.isLoopback && $0.port == 4_000 })
        #expect(Set(addresses).count == addresses.count)
        #expect(try Resolver.resolve("localhost", defaultPort: 4_000) == addresses)
        // With the dot of the root.
        #expect(try Resolver.resolve("localhost.:4000") == addresses)
        #expect(try Resolver.resolve(host: "LocalHost.", port: 4_000) == addresses)
    }

    @Test func scopeMayBeAnInterfaceName() throws {
        let addresses = try Resolver.resolve("[fe80::1%lo]:5")
        #expect(addresses.map(\.description) == ["[fe80::1%1]:5"])
        #expect(throws: NetworkError.self) { _ = try Resolver.resolve("[fe80::1%nosuch]:5") }
        // No name server is asked for an invalid name.
        #expect(throws: NetworkError.self) { _ = try Resolver.resolve("[a:b]:5") }
    }

    @Test(arguments: [
        "", ":", ":5", "host", "host:", "host:x", "host:-1", "host:65536",
        "host:99999999999999999999",
        "a b:5", "[host:5", "host]:5", "[]:5", "[host]:5", "a:b:c", "::1:x", "\u{0}:5",
        String(repeating: "a", count: 300) + ":5",
    ])
    func malformedNamesAreRefused(text: String) {
        let error = #expect(throws: NetworkError.self) { _ = try Resolver.resolve(text) }
        #expect(error == .malformedName(text))
    }

    @Test func unknownNameSaysSo() {
        // RFC 6761: no name under "invalid" exists.
        let error = #expect(throws: NetworkError.self) {
            _ = try Resolver.resolve("nothing.invalid:5")
        }
        guard case .unresolved(let name, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(name == "nothing.invalid")
    }
}
