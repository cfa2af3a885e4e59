import PathReport
import PathWatch
import Pathwise

/// A request of the catalogue over HTTP: `POST` to `/control/` and its words, with an object of its
/// arguments.
struct ControlRoute: Sendable {
    /// The longest text of an argument, and the most words of one that may be repeated.
    static let longestWord = 1000
    static let mostWords = 60

    let request: ControlRequest

    var path: String { "/control/" + request.words.joined(separator: "/") }

    /// - Parameter process: the command that takes them; nil for all.
    static func all(for process: String?) -> [ControlRoute] {
        ControlCatalogue.requests.filter { request in
            process.map { request.processes.contains($0) } ?? true
        }.map(ControlRoute.init)
    }

    /// - Parameters:
    ///   - path: of a request.
    ///   - process: the command that is asked; nil for any.
    static func find(_ path: String, for process: String?) -> ControlRoute? {
        all(for: process).first { $0.path == path }
    }

    /// Makes the change that a request asks for.
    ///
    /// - Parameters:
    ///   - request: one that is allowed, to a route that exists.
    ///   - process: the command that is asked.
    ///   - change: takes the words as from the socket.
    ///   - reply: is called once.
    static func make(
        _ request: HTTPRequest, for process: String,
        _ change: ([String], @escaping @Sendable (ControlAnswer) -> Void) -> Void,
        _ reply: @escaping WatchContent.Reply
    ) {
        guard let route = find(request.path, for: process) else {
            return reply(HTTPResponse(.notFound))
        }
        do throws(ControlBody.Problem) {
            let words = try route.words(of: request)
            change(words) { reply(HTTPResponse($0)) }
        } catch {
            reply(HTTPResponse(error.status, why: error.text))
        }
    }

    /// The words that `pathwise control` would send.
    func words(of http: HTTPRequest) throws(ControlBody.Problem) -> [String] {
        guard request.arguments.isEmpty || !http.body.isEmpty else {
            throw ControlBody.Problem("send an object with \(keys)")
        }
        guard !http.body.isEmpty else { return request.words }
        let type = http.type?.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard type == WatchRoute.json else {
            throw ControlBody.Problem(
                "send 'Content-Type: \(WatchRoute.json)'", status: .typeNotSupported)
        }
        let members = try ControlBody.members(of: http.body)
        for member in members where !request.arguments.contains(where: { $0.key == member.key }) {
            throw ControlBody.Problem(
                "'\(member.key.prefix(40))' is no member; there are \(keys)")
        }
        var words = request.words
        for argument in request.arguments {
            switch (members.first { $0.key == argument.key }?.value, argument.isRest) {
            case (.text(let word), false): words.append(try checked(word, argument))
            case (.list(let list), true):
                guard list.count <= ControlRoute.mostWords else {
                    throw ControlBody.Problem(
                        "'\(argument.key)' has more than \(ControlRoute.mostWords) texts")
                }
                for word in list { words.append(try checked(word, argument)) }
            case (nil, true): break
            case (nil, false): throw ControlBody.Problem("'\(argument.key)' is missing")
            case (.some, true):
                throw ControlBody.Problem("'\(argument.key)' has to be an array of texts")
            case (.some, false): throw ControlBody.Problem("'\(argument.key)' has to be a text")
            }
        }
        return words
    }

    private var keys: String {
        let keys = request.arguments.map { "'\($0.key)'" }
        return keys.isEmpty ? "none" : keys.joined(separator: ", ")
    }

    private func checked(
        _ word: String, _ argument: ControlRequest.Argument
    ) throws(ControlBody.Problem) -> String {
        guard StatusRequest.isWord(word),
            word.unicodeScalars.count <= ControlRoute.longestWord
        else {
            throw ControlBody.Problem(
                "'\(argument.key)' needs 1 to \(ControlRoute.longestWord) characters, and no "
                    + "control characters")
        }
        return word
    }
}

extension HTTPResponse {
    /// What became of a change.
    init(_ answer: ControlAnswer) {
        self.init(Array(answer.line.utf8) + [10], type: WatchRoute.json)
        switch answer.failure?.status {
        case nil: status = .ok
        case .temporary: status = .unavailable
        default: status = .refused
        }
    }
}
