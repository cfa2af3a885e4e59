import Glibc
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

/// The value of `--path` for one path:
/// `NAME=INTERFACE|ADDRESS[>REMOTE][,weight=W][,price=PER_GB][,limit=RATE]`
/// `[,cap=SIZE/PERIOD[,hard]][,kind=K][,backup]`.
struct PathArgument: Equatable {
    /// The interface or address from which the path leaves this host.
    enum Source: Equatable {
        case interface(String)
        /// A local address; port zero.
        case address(SocketAddress)
    }

    /// The form in one line, for help texts.
    static let form =
        "NAME=INTERFACE|ADDRESS[>HOST:PORT][,weight=W][,price=PER_GB][,limit=RATE]"
        + "[,cap=SIZE/PERIOD[,hard]][,kind=KIND][,backup]"

    var name: String
    var source: Source
    /// The server's address only for this path, as HOST:PORT; nil means those of `--to`.
    var remote: String?
    var traits = PathTraits()
    /// The bytes after which the path becomes standby, or is removed; nil without a limit.
    var cap: ByteCap?
    private var isHard = false

    init(parsing text: String) throws(SyntaxProblem) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard let equals = parts[0].firstIndex(of: "=") else {
            throw SyntaxProblem(PathArgument.withoutName(parts[0]))
        }
        name = try PathArgument.checkedName(String(parts[0][..<equals]))
        var place = parts[0][parts[0].index(after: equals)...]
        if let arrow = place.firstIndex(of: ">") {
            let remote = String(place[place.index(after: arrow)...])
            guard remote.contains(":") else {
                throw SyntaxProblem("after '>' write HOST:PORT, not '\(remote)'")
            }
            self.remote = remote
            place = place[..<arrow]
        }
        source = try PathArgument.source(String(place))
        for part in parts.dropFirst() { try set(part) }
        guard isHard else { return }
        guard cap != nil else {
            throw SyntaxProblem("'hard' needs a cap; write cap=50GB/month,hard")
        }
        cap?.isHard = true
    }

    /// The hint for a text without a name.
    private static func withoutName(_ text: String) -> String {
        let source = text.split(separator: ">").first.map(String.init) ?? text
        let hint = "it has no NAME= before the interface or address"
        switch try? PathArgument.source(source) {
        case .interface(let name) where if_nametoindex(name) == 0:
            return "\(hint); write dsl=eth0, and '\(name)' is not an interface of this host: "
                + "'ip address' lists them"
        case .interface(let name):
            let path = (try? checkedName(name)) ?? "path1"
            return "\(hint); write \(path)=\(text), or choose another name"
        case .address: return "\(hint); write path1=\(text), or choose another name"
        case nil: return "\(hint); write dsl=eth0 or lte=192.0.2.7"
        }
    }

    private static func checkedName(_ name: String) throws(SyntaxProblem) -> String {
        guard PlainName.allows(name) else {
            throw SyntaxProblem("a path's name has \(PlainName.rule)")
        }
        return name
    }

    private static func source(_ text: String) throws(SyntaxProblem) -> Source {
        // The scope of a link-local address may be the name of an interface.
        let scoped = text.contains(":") ? try? Resolver.resolve("[\(text)]", defaultPort: 0) : nil
        if let address = SocketAddress(parsing: text, defaultPort: 0) ?? scoped?.first {
            guard address.port == 0 else {
                throw SyntaxProblem("the local address '\(text)' must have no port")
            }
            return .address(address)
        }
        // The limit is IFNAMSIZ, which includes the terminating zero.
        guard (1...15).contains(text.utf8.count),
            !text.utf8.contains(where: { $0 <= 32 || $0 == UInt8(ascii: "/") || $0 == 58 })
        else {
            throw SyntaxProblem(
                "'\(text)' is neither an interface's name nor an address; 'ip address' lists them")
        }
        return .interface(text)
    }

    private mutating func set(_ option: String) throws(SyntaxProblem) {
        let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            .map(String.init)
        let value = pair.count > 1 ? pair[1] : ""
        switch pair[0] {
        case "weight":
            guard let weight = ArgumentText.number(value), weight > 0, weight <= 1e6 else {
                throw SyntaxProblem("weight=\(value): give a number above 0, up to 10^6")
            }
            traits.weight = weight
        case "price":
            guard let price = ArgumentText.number(value), price >= 0, price <= 1e6 else {
                throw SyntaxProblem("price=\(value): give the price of 10^9 bytes, 0 or more")
            }
            traits.pricePerGB = price
        case "limit":
            do throws(SyntaxProblem) {
                traits.rateLimit = try RateArgument.bytesPerSecond(value)
            } catch {
                throw SyntaxProblem("limit=\(value): \(error.description)")
            }
        case "cap": cap = try ByteCap(argument: value)
        case "kind":
            guard let kind = LinkKind.allCases.first(where: { "\($0)" == value }) else {
                let known = LinkKind.allCases.map { "\($0)" }.joined(separator: ", ")
                throw SyntaxProblem("kind=\(value): give one of \(known)")
            }
            traits.kind = kind
        case "hard":
            guard pair.count == 1 else { throw SyntaxProblem("'hard' takes no value") }
            isHard = true
        case "backup":
            guard pair.count == 1 else { throw SyntaxProblem("'backup' takes no value") }
            traits.isBackup = true
        default:
            throw SyntaxProblem(
                "'\(option)' is not known; give weight=, price=, limit=, cap=, hard, kind= or backup"
            )
        }
    }

    /// Refuses more paths than a connection supports, and duplicate names.
    static func check(_ paths: [PathArgument]) throws(SyntaxProblem) {
        guard paths.count <= PathID.limit else {
            throw SyntaxProblem("\(paths.count) paths; a connection has at most \(PathID.limit)")
        }
        var names: Set<String> = []
        for path in paths where !names.insert(path.name).inserted {
            throw SyntaxProblem("two paths are called '\(path.name)'; give each its own name")
        }
    }
}
