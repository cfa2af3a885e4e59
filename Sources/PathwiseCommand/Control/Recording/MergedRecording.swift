import Glibc
import PathTelemetry
import PathTrace
import PathWorlds
import Pathwise

/// Lets a command that reads one trace read the traces of a folder.
enum MergedRecording {
    /// Calls `body` with the path of a trace: that of a file, or of the files of a folder merged into one
    /// below `TMPDIR` or `/var/tmp`, which is removed afterwards.
    static func with(_ trace: String, _ body: (_ file: String) throws -> Void) throws {
        let files = try RecordingFolder.expanded([trace])
        guard files.count > 1 else { return try body(files.first ?? trace) }
        let folder: String
        do {
            folder = try TemporaryFolder(named: "trace", in: "/var/tmp").path
        } catch {
            throw CommandFailure(
                "cannot make a folder for the merged traces: \(error.reason); name another place with "
                    + "TMPDIR", .cannotCreate)
        }
        let merged = folder + "/merged.trace"
        defer {
            RecordingFolder.remove(merged)
            rmdir(folder)
        }
        var display = ProgressDisplay()
        do throws(TraceError) {
            _ = try TraceMerger(files).merge(into: merged, programVersion: PathwiseVersion.text) {
                display.update([ProgressDisplay.bar("merging", done: $0, of: $1)])
            }
        } catch {
            display.clear()
            throw error
        }
        display.clear()
        try body(merged)
    }
}
