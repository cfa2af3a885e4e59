internal import PathNetwork
internal import PathTelemetry
internal import PathTransport

/// The driver of a session's connection: its own client, or a server with others.
enum SessionLink: Sendable {
    case client(ClientDriver)
    case server(ServedConnection)

    /// Lends the connection to the caller, then lets the driver handle the changes.
    func with<Result, Failure: Error>(
        _ body: (inout Connection, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch self {
        case .client(let driver): try driver.with(body)
        case .server(let served): try served.with(body)
        }
    }

    /// The address of a path's socket; nil on a server, whose sockets have all clients.
    func localAddress(of path: PathID) -> SocketAddress? {
        switch self {
        case .client(let driver): driver.localAddress(of: path)
        case .server: nil
        }
    }

    /// Makes a client's path standby or active again.
    func setStandby(_ name: String, _ isStandby: Bool) {
        switch self {
        case .client(let driver): driver.setStandby(name, isStandby)
        case .server: break
        }
    }

    /// Removes a client's path for good, or lets it be opened again.
    func setStopped(_ name: String, _ isStopped: Bool) {
        switch self {
        case .client(let driver): driver.setStopped(name, isStopped)
        case .server: break
        }
    }

    /// Lets only its plan say how a client's path is used.
    func setFree(_ name: String) {
        switch self {
        case .client(let driver): driver.setFree(name)
        case .server: break
        }
    }

    /// Changes the rules from which a client's paths are made.
    func setPlanner(_ planner: PathPlanner) {
        switch self {
        case .client(let driver): driver.setPlanner(planner)
        case .server: break
        }
    }

    /// Begins to hand out records, or stops after those that there are; `change` is called between, and
    /// says which.
    func setRecording(after change: (inout Connection) -> Bool) {
        switch self {
        case .client(let driver): driver.setRecording(after: change)
        case .server(let served): served.setRecording(after: change)
        }
    }

    /// What this side is called in traces.
    var role: String {
        switch self {
        case .client: "send"
        case .server: "receive"
        }
    }

    /// Removes a client's path as soon as it has carried what its cap leaves; returns what was under
    /// way to it when it was removed, once.
    func setBudget(_ budget: UsageBudget) -> UInt64 {
        switch self {
        case .client(let driver):
            driver.setBudget(
                budget.name, budget.bytes, of: budget.path, after: budget.counted)
        case .server: 0
        }
    }

    /// The paths that a client wants and does not have.
    var absentPaths: [AbsentPath] {
        switch self {
        case .client(let driver): driver.absentPaths
        case .server: []
        }
    }

    /// What a client knows of its ways to the server, once.
    func takeKnownPaths() -> [KnownPath] {
        switch self {
        case .client(let driver): driver.takeKnownPaths()
        case .server: []
        }
    }

    /// Like `with`, for reading only.
    func read<Result>(_ body: (borrowing Connection, Instant) -> Result) -> Result {
        switch self {
        case .client(let driver): driver.read(body)
        case .server(let served): served.read(body)
        }
    }
}
