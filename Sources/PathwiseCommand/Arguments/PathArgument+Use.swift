import PathNetwork
import PathTransport
import Pathwise

/// What `--path` options become.
extension PathArgument {
    /// Parses all `--path` options of a command line.
    static func parse(_ texts: [String]) throws -> [PathArgument] {
        let paths = try texts.map { text in
            do throws(SyntaxProblem) {
                return try PathArgument(parsing: text)
            } catch {
                throw CommandFailure("--path '\(text)': \(error)", .usage)
            }
        }
        do throws(SyntaxProblem) {
            try check(paths)
        } catch {
            throw CommandFailure("--path: \(error)", .usage)
        }
        return paths
    }

    /// The planner's rule; a name of the server is resolved.
    func rule() throws -> PathPlanner.Rule {
        let address = try remote.map { try AddressArgument.resolve($0, option: "--path") }
        let place: PathPlanner.Source =
            switch source {
            case .interface(let name): .interface(name)
            case .address(let address): .address(address)
            }
        return PathPlanner.Rule(name: name, source: place, remote: address, traits: traits)
    }

    /// The meter for the paths with a cap; nil if none has one.
    ///
    /// - Parameters:
    ///   - paths: of the command line.
    ///   - state: the state folder, in which bytes are counted; nil means that of this user.
    ///   - onChange: is told of caps that are nearly reached, reached or renewed.
    static func meter(
        _ paths: [PathArgument], state: String?,
        onChange: @escaping @Sendable (UsageChange) -> Void
    ) throws -> UsageMeter? {
        var caps: [String: ByteCap] = [:]
        for path in paths { caps[path.name] = path.cap }
        guard !caps.isEmpty else { return nil }
        guard let folder = UsageFolder.path(state: state) else {
            throw CommandFailure(
                "bytes of paths with a cap are counted in XDG_CONFIG_HOME or HOME, and neither "
                    + "names a folder; set HOME", .configuration)
        }
        return try UsageMeter(caps: caps, folder: folder, onChange: onChange)
    }
}
