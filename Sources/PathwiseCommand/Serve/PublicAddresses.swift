import PathNetwork
import PathTransport
import Pathwise

/// The addresses under which clients reach a server; tokens have them.
struct PublicAddresses {
    /// The name of the file in which a server keeps them for `invite`.
    static let fileName = "addresses"

    /// HOST:PORT each.
    var list: [String]
    /// Where they come from, and how to change them.
    var hint: String

    /// The addresses that the user gave, checked; names are not looked up.
    static func given(_ texts: [String]) throws -> PublicAddresses? {
        guard !texts.isEmpty else { return nil }
        guard texts.count <= JoinToken.addressLimit else {
            throw CommandFailure(
                "--public: \(texts.count) addresses; a token has at most \(JoinToken.addressLimit)",
                .usage)
        }
        for text in texts {
            let isPlain = text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
            guard isPlain, let target = try? Resolver.split(text), target.port != 0 else {
                throw CommandFailure(
                    "--public '\(text)' is not HOST:PORT; write vpn.example:7000 or "
                        + "[2001:db8::1]:7000", .usage)
            }
        }
        return PublicAddresses(list: texts, hint: "from --public")
    }

    /// The addresses that a server listens on; for a wildcard those of this host that are valid
    /// beyond the link, or its loopback if it has no other.
    static func ofHost(listening: [SocketAddress]) throws -> PublicAddresses {
        let fixed = listening.filter { !$0.isUnspecified }
        var found = fixed
        let interfaces: [NetworkInterface]
        do throws(NetworkError) {
            interfaces = try InterfaceWatcher.list()
        } catch {
            throw SessionError.network(error)
        }
        let own = interfaces.filter { !PathPlanner.leadsToContainers($0) }
        for wildcard in listening where wildcard.isUnspecified {
            for entry in own.flatMap(\.addresses) where !entry.isTemporary {
                let address = entry.address.with(port: wildcard.port)
                if address.family == wildcard.family, !found.contains(address) {
                    found.append(address)
                }
            }
        }
        if let first = listening.first, found.isEmpty {
            found = [
                first.family == .ipv4
                    ? .loopback(port: first.port)
                    : SocketAddress(ipv6High: 0, low: 1, port: first.port)
            ]
        }
        let list = found.prefix(JoinToken.addressLimit).map(\.description)
        return PublicAddresses(
            list: Array(list),
            hint: fixed.count == found.count
                ? "from --listen; give others with --public HOST:PORT"
                : "all addresses of this host; give others with --public HOST:PORT")
    }

    // MARK: the file

    /// Keeps the addresses for `invite`.
    func save(in folder: StateFolder) throws {
        let text = "# Where clients reach the server; it writes this when it starts.\n"
        let content = Array((text + list.map { $0 + "\n" }.joined()).utf8)
        try folder.changing { try folder.write(content, to: PublicAddresses.fileName) }
    }

    /// The addresses of the server that last ran with this folder; nil if none did.
    static func saved(in folder: StateFolder) throws -> PublicAddresses? {
        guard let content = try folder.read(fileName) else { return nil }
        var list: [String] = []
        for line in StateLines(content, file: folder.file(fileName)) {
            guard line.words.count == 1, (try? Resolver.split(line.words[0])) != nil,
                list.count < JoinToken.addressLimit
            else {
                throw line.problem(
                    "write one HOST:PORT a line, at most \(JoinToken.addressLimit); "
                        + "or give --public")
            }
            list.append(line.words[0])
        }
        guard !list.isEmpty else { return nil }
        return PublicAddresses(
            list: list, hint: "as the server has them; give others with --public HOST:PORT")
    }
}
