import PathWatch

/// What may be read of a process at its address; changes are routes of `ControlRoute`.
enum WatchRoute: String, CaseIterable {
    case page = "/"
    case metrics = "/metrics"
    case status = "/status"
    case events = "/events"
    case history = "/history"
    /// The description of all routes.
    case description = "/openapi.json"

    static let json = "application/json"
    /// What `/history` may be asked for.
    static let minutes = 1...1440
    static let points = 1...1440

    /// What can be done with a path; nil if there is no such route.
    ///
    /// - Parameters:
    ///   - path: of a request.
    ///   - process: the command that is asked.
    static func kind(of path: String, for process: String) -> WatchContent.Route? {
        if WatchRoute(rawValue: path) != nil { return .reading }
        return ControlRoute.find(path, for: process) == nil ? nil : .changing
    }
}
