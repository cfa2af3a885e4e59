internal import PathNetwork
internal import PathTelemetry
internal import PathTransport

/// Where the connection of a session is driven: by a client of its own, or by a server with others.
enum SessionLink: Sendable {
    case client(ClientDriver)
    case server(ServedConnection)

    /// Lends the connection to the caller, then lets the driver see to what that brought.
    func with<Result, Failure: Error>(
        _ body: (inout Connection, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch self {
        case .client(let driver): try driver.with(body)
        case .server(let served): try served.with(body)
        }
    }

    /// As `with`, for a look that changes nothing.
    func read<Result>(_ body: (borrowing Connection, Instant) -> Result) -> Result {
        switch self {
        case .client(let driver): driver.read(body)
        case .server(let served): served.with { connection, now in body(connection, now) }
        }
    }
}
