import Foundation
import Testing

/// A JSON document by its path: `json["policies", 0, "verdict"]`.
struct JSONReading {
    private let value: Any

    /// The whole of standard output must be one object.
    init(_ run: Finished) throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(run.output.utf8))
        try #require(parsed is [String: Any], "no object: \(run.output)")
        value = parsed
    }

    /// The whole text must be one object.
    init(text: String) throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
        try #require(parsed is [String: Any], "no object: \(text)")
        value = parsed
    }

    /// The whole of standard output must be one array.
    init(list run: Finished) throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(run.output.utf8))
        try #require(parsed is [Any], "no array: \(run.output) \(run.errors)")
        value = parsed
    }

    func number(_ path: Any...) throws -> Double { try number(at: path) }

    func number(at path: [Any]) throws -> Double {
        try #require((find(path) as? NSNumber)?.doubleValue, "no number at \(path)")
    }

    func text(_ path: Any...) throws -> String { try text(at: path) }

    func text(at path: [Any]) throws -> String {
        try #require(find(path) as? String, "no text at \(path)")
    }

    /// Nil for anything but a text.
    func optionalText(_ path: Any...) -> String? { optionalText(at: path) }

    func optionalText(at path: [Any]) -> String? { find(path) as? String }

    /// Nil for anything but a number.
    func optionalNumber(_ path: Any...) -> Double? { (find(path) as? NSNumber)?.doubleValue }

    func bool(_ path: Any...) throws -> Bool { try bool(at: path) }

    func bool(at path: [Any]) throws -> Bool { try #require(find(path) as? Bool) }

    func count(_ path: Any...) throws -> Int {
        try #require(find(path) as? [Any], "no list at \(path)").count
    }

    private func find(_ path: [Any]) -> Any? {
        path.reduce(value) { (part: Any?, step: Any) -> Any? in
            if let key = step as? String { return (part as? [String: Any])?[key] }
            guard let list = part as? [Any], let index = step as? Int, list.indices.contains(index)
            else { return nil }
            return list[index]
        }
    }
}
