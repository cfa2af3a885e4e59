/// What a watch server answers.
package struct WatchContent: Sendable {
    /// What can be done with a route.
    package enum Route: Sendable {
        /// It may be read, by GET and HEAD.
        case reading
        /// It changes something, by POST.
        case changing
    }
    /// Takes an answer, once, from any thread.
    package typealias Reply = @Sendable (HTTPResponse) -> Void

    /// The page at `/`, which everyone may read.
    package var page: @Sendable () -> HTTPResponse
    /// What can be done with a path other than `/`; nil if there is no such route.
    package var route: @Sendable (String) -> Route?
    /// Answers to requests to read, if they are allowed.
    package var answer: @Sendable (HTTPRequest) -> HTTPResponse
    /// Makes a change that is allowed, and answers later.
    package var change: @Sendable (HTTPRequest, @escaping Reply) -> Void
    /// Is called once a second, with whether somebody follows the events; returns events for those.
    package var tick: @Sendable (Bool) -> [UInt8]

    /// The closures are called on the server's thread.
    ///
    /// - Parameters:
    ///   - page: the page at `/`.
    ///   - route: what can be done with a path.
    ///   - answer: to requests to read, if they are allowed.
    ///   - change: makes a change that is allowed, without waiting for it.
    ///   - tick: is called once a second.
    package init(
        page: @escaping @Sendable () -> HTTPResponse,
        route: @escaping @Sendable (String) -> Route?,
        answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse,
        change: @escaping @Sendable (HTTPRequest, @escaping Reply) -> Void,
        tick: @escaping @Sendable (Bool) -> [UInt8]
    ) {
        self.page = page
        self.route = route
        self.answer = answer
        self.change = change
        self.tick = tick
    }
}
