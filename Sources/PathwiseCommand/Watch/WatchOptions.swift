import ArgumentParser
import PathWatch

/// `--http` and `--http-token`: where a process can be watched.
struct WatchOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Show what runs to browsers and Prometheus.", valueName: "address"))
    var http: String?

    @Option(
        help: ArgumentHelp(
            "A file with the token that --http asks for.", valueName: "file"))
    var httpToken: String?

    /// Where to listen, and what has to be known there; nil without `--http`.
    func place() throws -> (address: WatchAddress, token: WatchToken?)? {
        guard let http else {
            guard httpToken == nil else {
                throw CommandFailure("--http-token belongs to --http; give --http too", .usage)
            }
            return nil
        }
        do throws(WatchError) {
            let address = try WatchAddress(parsing: http)
            guard address.isLocal || httpToken != nil else { throw .needsToken(http) }
            guard let httpToken else { return (address, nil) }
            return (address, try WatchToken(file: httpToken))
        } catch {
            throw CommandFailure("--http: \(error)", ExitStatus(error))
        }
    }
}

extension ExitStatus {
    init(_ error: WatchError) {
        switch error {
        case .malformed, .needsToken: self = .usage
        case .system: self = .systemError
        case .inUse: self = .unavailable
        case .badToken: self = .configuration
        }
    }
}
