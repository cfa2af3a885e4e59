public import PathTelemetry
public import PathTransport

/// A path that a client wants and does not have now.
public struct AbsentPath: Hashable, Sendable {
    /// Why it does not exist.
    public enum Cause: Hashable, Sendable {
        /// Its cap is used up, so it was removed.
        case stopped
        /// No interface has the name, for example because a modem was unplugged; these are usable.
        case noInterface(String, known: [String])
        /// The interface is switched off.
        case isDown(String)
        /// The interface is up and has no carrier.
        case noCarrier(String)
        /// The interface has no address from which the server can be reached.
        case noAddress(String)
        /// No interface has this address.
        case unknownAddress(SocketAddress)
        /// No address of the server is of the family of this one.
        case otherFamily(SocketAddress)
        /// Its socket cannot be opened; it is tried again each second.
        case notOpened(NetworkError)
        /// It is being opened.
        case opening
    }

    public var name: String
    public var cause: Cause
    /// The number that it had in the connection; nil if it never existed.
    public var path: PathID?
}

extension AbsentPath.Cause {
    /// Whether it depends on the addresses of the server.
    public var isAboutServer: Bool {
        switch self {
        case .noAddress, .otherFamily, .opening: true
        default: false
        }
    }
}

extension AbsentPath.Cause: CustomStringConvertible {
    public var description: String {
        switch self {
        case .stopped: "its cap is used up"
        case .noInterface(let name, let known):
            "there is no interface '\(name)'; this host has "
                + (known.isEmpty ? "none that works" : known.joined(separator: ", "))
        case .isDown(let name): "'\(name)' is down"
        case .noCarrier(let name): "'\(name)' has no carrier"
        case .noAddress(let name): "'\(name)' has no address that reaches the server"
        case .unknownAddress(let address): "no interface has the address \(address.host)"
        case .otherFamily(let address):
            "the server has no address of the family of \(address.host)"
        case .notOpened(let error): "\(error)"
        case .opening: "it is being opened"
        }
    }
}

extension PathPlanner {
    /// Why a rule gives no path now.
    ///
    /// - Parameter interfaces: those that are usable.
    public func cause(of rule: Rule, _ interfaces: [NetworkInterface]) -> AbsentPath.Cause {
        switch rule.source {
        case .any: return .opening
        case .interface(let name):
            switch InterfaceWatcher.condition(of: name) {
            case nil: return .noInterface(name, known: interfaces.map(\.name))
            case (false, _)?: return .isDown(name)
            case (true, false)?: return .noCarrier(name)
            case (true, true)?: return .noAddress(name)
            }
        case .address(let address):
            let isReachable = (rule.remote.map { [$0] } ?? remotes).contains {
                $0.family == address.family
            }
            return isReachable ? .unknownAddress(address) : .otherFamily(address)
        }
    }
}
