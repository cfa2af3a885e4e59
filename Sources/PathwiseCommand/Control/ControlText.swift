/// The requests of `pathwise control`, for its help.
enum ControlText {
    /// One line for each request, with its effect.
    static var requests: String {
        let width = (ControlCatalogue.requests.map(\.usage.count).max() ?? 0) + 2
        return ControlCatalogue.requests.map { request in
            let gap = String(repeating: " ", count: width - request.usage.count)
            return "  \(request.usage)\(gap)\(request.effect)"
        }.joined(separator: "\n")
    }
}
