/// Finds repeated code, and folders with too many or too few files; functions of text.
enum Repetition {
    /// Lines with content, each with its number: spaces are normalised, and empty lines, imports,
    /// includes and lines with only brackets are left out.
    ///
    /// Comments and declarations count too, because a change may miss one of two copies.
    static func telling(_ source: String) -> [(line: Int, text: String)] {
        var found: [(line: Int, text: String)] = []
        for (index, line) in source.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
            if words.allSatisfy({ $0.allSatisfy { "{}()[],;".contains($0) } }) { continue }
            if words.count > 1, words[words.count - 2] == "import" { continue }
            if words[0].hasPrefix("#include") { continue }
            found.append((index + 1, words.joined(separator: " ")))
        }
        return found
    }

    /// Runs of at least `length` such lines that occur a second time, in another file or later in
    /// the same one; each is reported once.
    static func runs(
        of length: Int, in files: [(path: String, source: String)]
    ) -> [Rules.Violation] {
        var numbers: [String: Int] = [:]
        var first: [[Int]: (file: Int, place: Int, line: Int)] = [:]
        var found: [Rules.Violation] = []
        for (file, entry) in files.enumerated() {
            let lines = telling(entry.source)
            var ids: [Int] = []
            for line in lines {
                let id = numbers[line.text] ?? numbers.count
                numbers[line.text] = id
                ids.append(id)
            }
            var last = -length
            for place in ids.indices where place + length <= ids.count {
                let run = Array(ids[place..<place + length])
                guard let seen = first[run] else {
                    first[run] = (file, place, lines[place].line)
                    continue
                }
                if seen.file == file, place - seen.place < length { continue }
                if place > last + 1 {
                    found.append(
                        Rules.Violation(
                            file: entry.path, line: lines[place].line,
                            what: "repeats \(length) lines or more of "
                                + "\(files[seen.file].path):\(seen.line)"))
                }
                last = place
            }
        }
        return found
    }

    /// Folders with more than `most` files, and folders with a single file.
    ///
    /// - Parameter alone: names of folders that may hold one file.
    static func folders(_ paths: [String], most: Int, alone: Set<String>) -> [String] {
        var counts: [Substring: Int] = [:]
        var parents: Set<Substring> = []
        for path in paths {
            guard let slash = path.lastIndex(of: "/") else { continue }
            var folder = path[..<slash]
            counts[folder, default: 0] += 1
            while let above = folder.lastIndex(of: "/") {
                folder = folder[..<above]
                parents.insert(folder)
            }
        }
        return counts.sorted { $0.key < $1.key }.compactMap { folder, count in
            if count > most { return "\(folder) holds \(count) files, \(most) at most" }
            let name = String(folder.split(separator: "/").last ?? "")
            if count == 1, !parents.contains(folder), !alone.contains(name) {
                return "\(folder) holds one file; move it to the folder above"
            }
            return nil
        }
    }

    /// The files with a mark, in any letter case and with any grouping of digits by `_`.
    static func places(
        of mark: String, in files: [(path: String, plain: String)]
    ) -> [String] {
        let mark = plain(mark)
        return files.filter { $0.plain.contains(mark) }.map(\.path)
    }

    static func plain(_ source: String) -> String {
        String(source.lowercased().filter { $0 != "_" })
    }
}
