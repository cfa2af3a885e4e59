import Glibc
import DenseMath
import Foundation
import Testing

@testable import PathLearning
@testable import PathTelemetry

private func sampleLate() throws -> LogisticModel {
    var calibration = ConformalCalibration()
    for step in 0..<100 { calibration.add(logit: Double(step) / 10 - 5, isLate: step % 3 == 0) }
    return try LogisticModel(
        head: LinearHead(
            weights: (0..<28).map { 0.5 - Double($0) / 16 }, intercept: -3,
            precision: Matrix(diagonal: 3, size: 29), totalWeight: 500, lambda: 1),
        fourier: FourierFeatures(count: 4, width: 2, seed: 1), calibration: calibration)
}

private func sampleNeural() throws -> NeuralLinearModel {
    try NeuralLinearModel(
        layers: Perceptron(layers: [
            Perceptron.Layer(
                inputs: 24, outputs: 5, weights: (0..<120).map { Double($0 % 7) / 8 },
                biases: (0..<5).map { Double($0) / 4 }),
            Perceptron.Layer(
                inputs: 5, outputs: 3, weights: (0..<15).map { Double($0 % 4) / 8 },
                biases: [0, 1, 2]),
        ]),
        head: LinearHead(
            weights: [1, 2, 3], intercept: 0.5, precision: Matrix(diagonal: 7, size: 4),
            totalWeight: 50, lambda: 2))
}

/// - Parameter late: with the other heads too.
private func sample(late: Bool = false) throws -> Model {
    var precision = Matrix(diagonal: 2, size: 25)
    precision[3, 7] = 0.5
    precision[7, 3] = 0.5
    let ridge = try RidgeModel(
        weights: (0..<24).map { Double($0) / 8 - 1 }, intercept: 0.25, precision: precision,
        totalWeight: 1000, lambda: 10)
    return try Model(
        residual: ridge, late: late ? sampleLate() : nil, neural: late ? sampleNeural() : nil,
        notes: ["trained_on": "traces \"a\" & b\n", "kind": "not this", "späß": "✓"])
}

/// A file with another header in front of the same numbers.
private func file(header: String, data: [UInt8]) -> [UInt8] {
    let length = UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + data
}

private func problem(_ bytes: [UInt8]) -> ModelProblem? {
    do throws(ModelProblem) {
        _ = try Model(bytes: bytes)
        return nil
    } catch {
        return error
    }
}

@Suite struct SafetensorsTests {
    /// A model that goes to a device or a pipe does not take its place.
    @Test func aPipeIsWrittenToAndStays() throws {
        let path = "/tmp/pathwise-model-pipe-\(getpid())"
        unlink(path)
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        // Both ends are open, so that neither blocks.
        let pipe = open(path, O_RDWR | O_NONBLOCK)
        defer { close(pipe) }
        try FileBytes.write(Array(1...200), to: path)
        var status = stat()
        #expect(lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        var room = [UInt8](repeating: 0, count: 300)
        #expect(read(pipe, &room, room.count) == 200 && room[199] == 200)
    }

    @Test func goldenBytes() throws {
        let contents = Safetensors(
            metadata: ["b": "2", "a": "\"1\""],
            tensors: [
                Tensor(name: "x", kind: .float32, shape: [1, 2], values: [1, -2]),
                Tensor(name: "y", shape: [1], values: [0.1]),
            ])
        let header =
            #"{"__metadata__":{"a":"\"1\"","b":"2"},"x":{"dtype":"F32","shape":[1,2],"#
            + #""data_offsets":[0,8]},"y":{"dtype":"F64","shape":[1],"data_offsets":[8,16]}}"#
        let padding = String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        let data: [UInt8] = [
            0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0,
            0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f,
        ]
        let bytes = contents.bytes()
        #expect(bytes == file(header: header + padding, data: data))
        #expect(try Safetensors(bytes: bytes) == contents)
    }

    @Test(arguments: [
        (#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, 8, true),
        // Scalars and empty tensors are allowed by the format.
        (#"{"x":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}"#, 8, true),
        (#"{"x":{"dtype":"F64","shape":[0,3],"data_offsets":[0,0]}}"#, 0, true),
        (#"{"x":{"shape":[1],"data_offsets":[0,8],"dtype":"F64"}}   "#, 8, true),
        (#"{"__metadata__":{"k":"\u00e9\ud83d\ude00\n"}}"#, 0, true),
        (#" {"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, 8, false),
        (#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}x"#, 8, false),
        (#"{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, 8, false),
        (#"{"x":{"dtype":"F64","shape":[2],"data_offsets":[0,8]}}"#, 8, false),
        (#"{"x":{"dtype":"F64","shape":[-1],"data_offsets":[0,8]}}"#, 8, false),
        (#"{"x":{"dtype":"F64","shape":[1.0],"data_offsets":[0,8]}}"#, 8, false),
        (#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[8,16]}}"#, 16, false),
        (#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[8,0]}}"#, 8, false),
        (#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, 9, false),
        (#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, 7, false),
        (#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8],"z":1}}"#, 8, false),
        (#"{"x":{"dtype":"F64","shape":[1]}}"#, 8, false),
        (#"{"x":1}"#, 0, false),
        (#"{"x":{"dtype":"F64","shape":[0,18446744073709551615],"data_offsets":[0,0]}}"#, 0, false),
        (#"{"__metadata__":{"k":1}}"#, 0, false),
        (#"{"__metadata__":{"k":"1","k":"2"}}"#, 0, false),
        (#"{"__metadata__":{"k":"\ud83d"}}"#, 0, false),
        (#"{"__metadata__":{"k":"\x"}}"#, 0, false),
        (#"{"__metadata__":{"k":"1"}"#, 0, false),
        (#"{"__metadata__":{"k":"1",}}"#, 0, false),
        ("[1]", 0, false),
        ("{\"__metadata__\":{\"k\":\"\u{1}\"}}", 0, false),
    ])
    func headers(header: String, dataBytes: Int, isValid: Bool) {
        let bytes = file(header: header, data: [UInt8](repeating: 0, count: dataBytes))
        #expect(((try? Safetensors(bytes: bytes)) != nil) == isValid)
    }

    @Test func claimsBeyondAllBoundsAreRefusedWithoutTakingMemory() {
        let huge = #"{"x":{"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,8]}}"#
        #expect(
            problem(file(header: huge, data: [UInt8](repeating: 0, count: 8)))
                == .oversized(what: "tensor \"x\"", size: 1 << 63, limit: 64 << 20))
        let wide = #"{"x":{"dtype":"F64","shape":[100000,100000],"data_offsets":[0,8]}}"#
        #expect(
            problem(file(header: wide, data: []))
                == .oversized(
                    what: "tensor \"x\"", size: 80_000_000_000, limit: 64 << 20))
        #expect(
            problem([UInt8](repeating: 0xff, count: 16))
                == .oversized(what: "a header", size: .max, limit: 1 << 20))
        #expect(problem([]) == .truncated(expected: 8, actual: 0))
        #expect(problem([100, 0, 0, 0, 0, 0, 0, 0, 1]) == .truncated(expected: 108, actual: 9))
        let deep = "{\"x\":" + String(repeating: "[", count: 100_000)
        #expect(problem(file(header: deep, data: [])) != nil)
        let many = "{\"x\":[" + String(repeating: "1,", count: 100_000) + "1]}"
        #expect(problem(file(header: many, data: [])) != nil)
    }
}

@Suite struct ModelFileTests {
    @Test func roundTrip() throws {
        let model = try sample()
        let bytes = model.bytes()
        let again = try Model(bytes: bytes)
        #expect(again == model)
        #expect(again.bytes() == bytes)
        #expect(again.hash == StableHash(bytes).value)
        #expect(again.notes == ["trained_on": "traces \"a\" & b\n", "späß": "✓"])
        #expect(again.residual?.precision[3, 7] == 0.5)
    }

    @Test func everyHeadComesBack() throws {
        let model = try sample(late: true)
        #expect(model.kind == "ridge,late,neural-linear")
        let again = try Model(bytes: model.bytes())
        #expect(again == model)
        #expect(again.late?.fourier?.count == 4)
        #expect(again.late?.calibration?.count == 100)
        #expect(again.neural?.layers.layers.count == 2)
        var features = FeatureVector(repeating: 0.25)
        features[3] = -1
        #expect(again.late?.predict(features) == model.late?.predict(features))
        #expect(again.neural?.predict(features) == model.neural?.predict(features))
        for heads in [(true, false), (false, true)] {
            let part = try Model(
                late: heads.0 ? sampleLate() : nil, neural: heads.1 ? sampleNeural() : nil,
                notes: [:])
            #expect(try Model(bytes: part.bytes()) == part)
            #expect(part.residual == nil)
        }
        #expect(throws: LearningError.self) { try Model(notes: [:]) }
    }

    @Test func theFirstLayoutIsStillRead() throws {
        var contents = try Safetensors(bytes: try sample().bytes())
        contents.metadata["version"] = "1"
        let old = try Model(bytes: contents.bytes())
        #expect(try old.residual == sample().residual && old.kind == "ridge")
    }

    @Test func savedFilesLoadAndNothingElseIsLeft() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("pathwise-model-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("m.safetensors").path
        let model = try sample()
        try model.save(path)
        try model.save(path)
        #expect(try Model.load(path) == model)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)

        let missing = folder.appendingPathComponent("none").path
        #expect(
            throws: LearningError.model(
                file: missing,
                problem: .system(operation: "open", reason: "No such file or directory"))
        ) { try Model.load(missing) }
        #expect(
            throws: LearningError.model(
                file: folder.path,
                problem: .system(operation: "open", reason: "not a regular file"))
        ) { try Model.load(folder.path) }
        let nowhere = folder.appendingPathComponent("no/such/m").path
        #expect(
            throws: LearningError.model(
                file: nowhere,
                problem: .system(operation: "create", reason: "No such file or directory"))
        ) { try model.save(nowhere) }
        // A folder in the way: refused, and the temporary file is gone.
        let taken = folder.appendingPathComponent("taken").path
        try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: false)
        #expect(throws: LearningError.self) { try model.save(taken) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
    }

    private func changed(_ change: (inout Safetensors) -> Void) throws -> ModelProblem? {
        var contents = try Safetensors(bytes: try sample().bytes())
        change(&contents)
        return problem(contents.bytes())
    }

    @Test func otherModelsAreRefusedWithTheReason() throws {
        #expect(try changed { _ in } == nil)
        let schema = StableHash.text(FeatureSchema.current.hash)
        #expect(
            try changed { $0.metadata["schema"] = "0123456789abcdef" }
                == .wrongSchema(expected: schema, actual: "0123456789abcdef"))
        #expect(
            try changed { $0.metadata["schema"] = nil }
                == .wrongSchema(expected: schema, actual: "none"))
        for (key, value) in [
            ("format", nil), ("format", "pt"), ("kind", "mlp"), ("kind", "ridge,ridge"),
            ("kind", "late"), ("version", "3"), ("version", nil),
        ] {
            guard case .notAModel = try changed({ $0.metadata[key] = value }) else {
                Issue.record("\(key)=\(value ?? "nil") was accepted")
                continue
            }
        }
        func replace(_ name: String, _ change: @escaping (inout [Double]) -> Void) throws
            -> ModelProblem?
        {
            try changed { contents in
                contents.tensors = contents.tensors.map { tensor in
                    var values = tensor.values
                    if tensor.name == name { change(&values) }
                    return Tensor(name: tensor.name, shape: tensor.shape, values: values)
                }
            }
        }
        #expect(try replace("weights") { $0[5] = .nan } == .nonFinite(tensor: "weights"))
        #expect(try replace("intercept") { $0[0] = .infinity } == .nonFinite(tensor: "intercept"))
        #expect(try replace("lambda") { $0[0] = 0 } == .nonFinite(tensor: "lambda"))
        #expect(
            try replace("precision") { $0[1] = 1 }
                == .notAModel("its precision \"precision\" is not symmetric"))
        guard case .notAModel = try replace("precision", { $0[0] = -1 }) else {
            Issue.record("an indefinite precision was accepted")
            return
        }
        #expect(
            try changed { $0.tensors.removeAll { $0.name == "lambda" } }
                == .notAModel("no tensor \"lambda\""))
        #expect(
            try changed {
                $0.tensors[0] = Tensor(
                    name: "weights", shape: [2, 12], values: $0.tensors[0].values)
            } == .notAModel("tensor \"weights\" has shape [2, 12], not [24]"))
        // Single precision is read too.
        #expect(
            try changed {
                $0.tensors[0] = Tensor(
                    name: "weights", kind: .float32, shape: [24], values: $0.tensors[0].values)
            } == nil)
    }

    @Test func messagesNameTheFileAndTheRemedy() {
        let error = LearningError.model(
            file: "m.st", problem: .wrongSchema(expected: "aa", actual: "bb"))
        #expect(
            error.description
                == "model m.st: made for feature schema bb, this program has aa; "
                + "train again with this version")
    }

    /// Mutated files are read or refused, without a crash.
    ///
    /// PATHWISE_FUZZ sets the number; the default takes about a second.
    @Test func mutationsNeverTrap() throws {
        let original = try sample(late: true).bytes()
        let asked = ProcessInfo.processInfo.environment["PATHWISE_FUZZ"].flatMap { Int($0) }
        let mutations = asked ?? 20_000
        var random = SeededGenerator(seed: 1234)
        let headerEnd = 8 + Int(original[0]) + Int(original[1]) << 8
        var accepted = 0
        for _ in 0..<mutations {
            var bytes = original
            for _ in 0...(random.next() % 4) {
                guard !bytes.isEmpty else { break }
                // Most changes in the header, where the decisions are.
                let end = UInt64(random.next() % 4 == 0 ? bytes.count : min(bytes.count, headerEnd))
                let place = Int(random.next() % end)
                switch random.next() % 6 {
                case 0: bytes[place] ^= 1 << UInt8(random.next() % 8)
                case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 2:
                    let end = min(bytes.count, place + 1 + Int(random.next() % 9))
                    bytes.removeSubrange(place..<end)
                case 3: bytes.insert(contentsOf: Array("0123456789".utf8), at: place)
                case 4:
                    bytes[place] = Array("{}[]\",:0-e\\u".utf8)[Int(random.next() % 12)]
                default: bytes.removeLast(min(bytes.count, Int(random.next() % 64)))
                }
            }
            do throws(ModelProblem) {
                _ = try Model(bytes: bytes)
                accepted += 1
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        // Changes of a note or of a digit of a number leave a valid model.
        #expect(accepted < mutations / 2)
    }
}
