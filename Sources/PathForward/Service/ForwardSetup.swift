internal import PathNetwork
package import PathTransport
internal import Pathwise

extension ConnectionConfiguration {
    /// Sets the limits of a session that carries forwards, on either side.
    ///
    /// A flow whose reader is stuck holds its stream's window, 256 kB unless it was fast before,
    /// of the 64 MB that all streams share: so 256 of them stop, and the others go on. Windows of
    /// fast streams grow up to 16 MB.
    package mutating func prepareForForwards() {
        parameters.maximumStreams = max(parameters.maximumStreams, 8192)
        parameters.maximumStreamData = 256 << 10
        parameters.maximumData = 64 << 20
    }
}
