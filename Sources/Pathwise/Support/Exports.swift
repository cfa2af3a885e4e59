// The types of Pathwise's public interface, so that `import Pathwise` is enough. Each room exports
// only what applications need, and the rooms themselves stay hidden.

// Addresses, keys, options and figures of a connection.
@_exported public import struct PathTransport.ClientIdentity
@_exported public import enum PathTransport.CipherSuite
@_exported public import struct PathTransport.CloseNotice
@_exported public import enum PathTransport.CloseReason
@_exported public import enum PathTransport.CongestionAlgorithm
@_exported public import struct PathTransport.ConnectionConfiguration
@_exported public import struct PathTransport.ConnectionStatistics
@_exported public import enum PathTransport.CryptoError
@_exported public import enum PathTransport.KeyFile
@_exported public import enum PathTransport.KeyMemory
@_exported public import enum PathTransport.PathChange
@_exported public import struct PathTransport.PathStatistics
@_exported public import struct PathTransport.PresharedKey
@_exported public import struct PathTransport.PrivateKey
@_exported public import struct PathTransport.PublicKey
@_exported public import enum PathTransport.RefusalReason
@_exported public import struct PathTransport.RefusedClient
@_exported public import struct PathTransport.ServerConfiguration
@_exported public import struct PathTransport.ServerStatistics
@_exported public import struct PathTransport.SocketAddress
@_exported public import enum PathTransport.StreamError
@_exported public import struct PathTransport.StreamID
@_exported public import enum PathTransport.StreamPriority
@_exported public import struct PathTransport.TransportParameters

// Paths: their addresses, prices and measurements.
@_exported public import struct PathNetwork.InterfaceAddress
@_exported public import enum PathNetwork.NetworkError
@_exported public import struct PathNetwork.NetworkInterface
@_exported public import struct PathNetwork.PathPlan
@_exported public import struct PathNetwork.PathPlanner
@_exported public import struct PathTelemetry.Instant
@_exported public import enum PathTelemetry.LinkKind
@_exported public import struct PathTelemetry.PathID
@_exported public import struct PathTelemetry.PathSet
@_exported public import struct PathTelemetry.PathSnapshot
@_exported public import enum PathTelemetry.PathState
@_exported public import struct PathTelemetry.PathTraits
@_exported public import struct PathTelemetry.TimeDelta

// Policies of the library and of applications.
@_exported public import struct PathLearning.ActionDistribution
@_exported public import struct PathLearning.Candidate
@_exported public import struct PathLearning.Cost
@_exported public import struct PathLearning.Feedback
@_exported public import enum PathLearning.GuardEvent
@_exported public import enum PathLearning.Judging
@_exported public import enum PathLearning.LearningError
@_exported public import struct PathLearning.Model
@_exported public import struct PathLearning.NoSettings
@_exported public import struct PathLearning.Outcome
@_exported public import protocol PathLearning.Policy
@_exported public import struct PathLearning.PolicyDescription
@_exported public import struct PathLearning.PolicyDescriptor
@_exported public import struct PathLearning.PolicyField
@_exported public import struct PathLearning.PolicyMaterials
@_exported public import struct PathLearning.PolicyNeeds
@_exported public import protocol PathLearning.PolicySettings
@_exported public import struct PathLearning.PolicySpecification
@_exported public import struct PathLearning.ReinjectionAge
@_exported public import struct PathLearning.ShadowPolicy
@_exported public import struct PathTelemetry.BurstContext
@_exported public import enum PathTelemetry.Feature
@_exported public import typealias PathTelemetry.FeatureVector
@_exported public import enum PathTelemetry.TrafficClass

// Estimates of policies that do not decide.
@_exported public import struct PathEvaluation.Interval
@_exported public import struct PathEvaluation.LiveReport
@_exported public import struct PathEvaluation.NetworkFigures
@_exported public import struct PathEvaluation.Verdict

// Recording.
@_exported public import enum PathTrace.TraceError
