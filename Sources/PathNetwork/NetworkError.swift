internal import Glibc

/// Why a socket, poller, watcher or name could not be set up.
///
/// Sending and receiving never throw: their results are values; see `SendResult`.
public enum NetworkError: Error, Hashable, Sendable {
    /// A system call failed: what was tried, on what, and the errno.
    case system(Operation, target: String, code: Int32)
    /// A name has no address, with the resolver's reason.
    case unresolved(name: String, reason: String)
    /// The text does not have the form `HOST:PORT`.
    case malformedName(String)
    /// The interface name is empty, too long, or contains invalid characters.
    case malformedInterface(String)

    /// The operation that failed.
    public enum Operation: String, Hashable, Sendable {
        case openSocket = "open a UDP socket for"
        case setOption = "set an option of the socket for"
        case openStream = "open a TCP socket for"
        case listen = "listen on"
        case connect = "connect to"
        case bind = "bind to"
        case bindToInterface = "bind to interface"
        case readAddress = "read the bound address of"
        case allocate = "set aside memory for"
        case openPoller = "open"
        case watchDescriptor = "watch"
        case wait = "wait on"
        case listInterfaces = "list"
        case watchInterfaces = "watch for changes of"
        case startThread = "start a thread for"
    }

    /// Whether a name was not found because no name server answered, as without a network.
    public var isNoNameServer: Bool {
        guard case .unresolved(_, let reason) = self else { return false }
        return unsafe reason == String(cString: gai_strerror(EAI_AGAIN))
    }

    /// The errno of a failed system call, else nil.
    public var code: Int32? {
        if case .system(_, _, let code) = self { code } else { nil }
    }
}

extension NetworkError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let operation, let target, let code):
            let problem = "cannot \(operation.rawValue) \(target): \(NetworkError.text(of: code))"
            guard let fix = NetworkError.fix(operation, code) else { return problem }
            return "\(problem); \(fix)"
        case .unresolved(let name, let reason):
            return "cannot find an address for \(name): \(reason); "
                + "check the spelling and the name server, or give the address itself"
        case .malformedName(let text):
            return "'\(text)' is not HOST:PORT; "
                + "write example.net:5000, 192.0.2.1:5000 or [2001:db8::1]:5000"
        case .malformedInterface(let name):
            return "'\(name)' cannot be the name of an interface; 'ip link' lists the interfaces"
        }
    }

    private static func fix(_ operation: Operation, _ code: Int32) -> String? {
        switch (operation, code) {
        case (.bind, EADDRINUSE):
            "choose another port, or stop the program that uses it ('ss -ulpn' names it)"
        case (.listen, EADDRINUSE):
            "choose another port, or stop the program that uses it ('ss -tlpn' names it)"
        case (.bind, EADDRNOTAVAIL), (.listen, EADDRNOTAVAIL):
            "no interface of this host has that address; 'ip address' lists the addresses"
        case (.bind, EACCES), (.listen, EACCES):
            "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher port"
        case (.bind, EINVAL), (.listen, EINVAL):
            "a link-local address needs its interface: write [fe80::1%2]:5000, with its index"
        case (.connect, ENETUNREACH), (.connect, EHOSTUNREACH):
            "this host has no route to it; 'ip route' lists those there are"
        case (.bindToInterface, EPERM):
            "that needs CAP_NET_RAW; run with it, or bind by the interface's address instead"
        case (.bindToInterface, ENODEV):
            "there is no such interface; 'ip link' lists the interfaces"
        case (.openSocket, EAFNOSUPPORT):
            "this host has that address family switched off; use the other one"
        case (_, EMFILE), (_, ENFILE):
            "too many files are open; raise the limit with 'ulimit -n'"
        case (_, ENOMEM), (_, ENOBUFS):
            "memory is short; stop other programs or ask for smaller buffers"
        default: nil
        }
    }

    /// The system's text for an errno.
    public static func text(of code: Int32) -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { room in
            guard let base = room.baseAddress,
                unsafe strerror_r(code, base, room.count) == 0
            else { return "error \(code)" }
            return unsafe String(cString: base)
        }
    }
}
