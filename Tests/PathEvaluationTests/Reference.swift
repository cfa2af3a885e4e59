import Foundation
import Testing

/// The reference data that lies beside the repository, where it is present.
enum Reference {
    static let folder: String = {
        if let shared = ProcessInfo.processInfo.environment["PATHWISE_SHARED"] { return shared }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "shared").path
    }()

    static let isPresent = FileManager.default.fileExists(
        atPath: folder + "/reference/ope/expected.json")

    static let absence: Comment = "needs ../shared/reference or PATHWISE_SHARED"

    /// The numbers of one object in a JSON file, by its keys joined with `/`.
    static func numbers(_ file: String) throws -> [String: Double] {
        let data = try Data(contentsOf: URL(filePath: folder + "/reference/ope/" + file))
        var numbers: [String: Double] = [:]
        func walk(_ value: Any, _ name: String) {
            if let object = value as? [String: Any] {
                for (key, item) in object { walk(item, name + "/" + key) }
            } else if let list = value as? [Any] {
                for (index, item) in list.enumerated() { walk(item, name + "/\(index)") }
            } else if let number = value as? NSNumber {
                numbers[name] = number.doubleValue
            }
        }
        walk(try JSONSerialization.jsonObject(with: data), "")
        return numbers
    }

    private static let files: [String: [String: [Double]]] = {
        var files: [String: [String: [Double]]] = [:]
        for name in ["binary.csv", "continuous.csv", "poor_overlap.csv"] {
            files[name] = try? read(name)
        }
        return files
    }()

    /// A CSV file's columns by name.
    static func columns(_ file: String) throws -> [String: [Double]] {
        try #require(files[file])
    }

    private static func read(_ file: String) throws -> [String: [Double]] {
        let text = try String(
            contentsOf: URL(filePath: folder + "/reference/ope/" + file), encoding: .utf8)
        let lines = text.split(separator: "\n")
        let names = try #require(lines.first).split(separator: ",").map(String.init)
        var columns = [[Double]](repeating: [], count: names.count)
        for line in lines.dropFirst() {
            for (index, field) in line.split(separator: ",").enumerated() {
                columns[index].append(try #require(Double(String(field))))
            }
        }
        return Dictionary(uniqueKeysWithValues: zip(names, columns))
    }

    /// Weights, rewards, q of the logged action and the direct term of a log.
    static func log(
        _ name: String
    ) throws -> (
        weights: [Double], rewards: [Double], modelled: [Double], direct: [Double], matches: [Bool]
    ) {
        let columns = try columns(name + ".csv")
        let rewards = try #require(columns["reward"])
        let actions = try #require(columns["action"]).map { Int($0) }
        let propensities = try #require(columns["pscore"])
        let policy = try (0..<4).map { try #require(columns["pi_e_\($0)"]) }
        let model = try (0..<4).map { try #require(columns["q_hat_\($0)"]) }
        let rows = rewards.indices
        return (
            rows.map { policy[actions[$0]][$0] / propensities[$0] }, rewards,
            rows.map { model[actions[$0]][$0] },
            rows.map { row in (0..<4).reduce(0) { $0 + policy[$1][row] * model[$1][row] } },
            rows.map { row in
                let greatest = (0..<4).reduce(0) { policy[$1][row] > policy[$0][row] ? $1 : $0 }
                return actions[row] == greatest
            }
        )
    }
}
