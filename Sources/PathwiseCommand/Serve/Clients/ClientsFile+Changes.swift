import Pathwise

/// Changes of the file by requests; what a person wrote stays as it is.
extension ClientsFile {
    /// The file with one more line, which has to be right.
    ///
    /// - Parameter words: of the line.
    /// - Throws: `CommandFailure` if a client has the name or the key already, or a word is wrong.
    func adding(_ words: [String]) throws(CommandFailure) -> [UInt8] {
        guard words.allSatisfy({ word in !word.contains { $0.isWhitespace || $0 == "#" } }) else {
            throw CommandFailure("no spaces and no '#' may stand in a line of clients", .usage)
        }
        var content = content
        if let last = content.last, last != UInt8(ascii: "\n") { content.append(10) }
        content += Array("\(words.joined(separator: " "))\n".utf8)
        let changed = ClientsFile(content, file: ClientsFile.fileName)
        guard changed.clients.count == clients.count + 1 else {
            let reason = changed.problems.last.map { "\($0)" } ?? "it is not a client"
            throw CommandFailure(reason, .usage)
        }
        return content
    }

    /// The file without the line of a client.
    ///
    /// - Throws: `CommandFailure` if nobody has the name.
    func removing(_ name: String) throws(CommandFailure) -> [UInt8] {
        guard clients.contains(where: { $0.name == name }) else {
            let known = clients.map(\.name).prefix(20).joined(separator: ", ")
            throw CommandFailure(
                "no client is called '\(name)'; there are \(known.isEmpty ? "none" : known)", .usage
            )
        }
        let lines = content.split(separator: 10, omittingEmptySubsequences: false).filter { line in
            !StateLines(Array(line), file: "").contains { $0.words.first == name }
        }
        return Array(lines.joined(separator: [10]))
    }
}
