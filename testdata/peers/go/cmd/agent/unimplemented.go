// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	types "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols"
	pb "github.com/kata-containers/kata-containers/src/runtime/virtcontainers/pkg/agent/protocols/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unimplemented has the methods of AgentService that no test needs.
type unimplemented struct{}

func refuse[T any]() (*T, error) {
	return nil, status.Error(codes.Unimplemented, "this agent does not do that")
}

func (unimplemented) UpdateContainer(context.Context, *pb.UpdateContainerRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) UpdateEphemeralMounts(context.Context, *pb.UpdateEphemeralMountsRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) StatsContainer(context.Context, *pb.StatsContainerRequest) (*pb.StatsContainerResponse, error) {
	return refuse[pb.StatsContainerResponse]()
}
func (unimplemented) PauseContainer(context.Context, *pb.PauseContainerRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) ResumeContainer(context.Context, *pb.ResumeContainerRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) RemoveStaleVirtiofsShareMounts(context.Context, *pb.RemoveStaleVirtiofsShareMountsRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) TtyWinResize(context.Context, *pb.TtyWinResizeRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) UpdateInterface(context.Context, *pb.UpdateInterfaceRequest) (*types.Interface, error) {
	return refuse[types.Interface]()
}
func (unimplemented) UpdateRoutes(context.Context, *pb.UpdateRoutesRequest) (*pb.Routes, error) {
	return refuse[pb.Routes]()
}
func (unimplemented) ListInterfaces(context.Context, *pb.ListInterfacesRequest) (*pb.Interfaces, error) {
	return refuse[pb.Interfaces]()
}
func (unimplemented) ListRoutes(context.Context, *pb.ListRoutesRequest) (*pb.Routes, error) {
	return refuse[pb.Routes]()
}
func (unimplemented) AddARPNeighbors(context.Context, *pb.AddARPNeighborsRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) GetIPTables(context.Context, *pb.GetIPTablesRequest) (*pb.GetIPTablesResponse, error) {
	return refuse[pb.GetIPTablesResponse]()
}
func (unimplemented) SetIPTables(context.Context, *pb.SetIPTablesRequest) (*pb.SetIPTablesResponse, error) {
	return refuse[pb.SetIPTablesResponse]()
}
func (unimplemented) GetMetrics(context.Context, *pb.GetMetricsRequest) (*pb.Metrics, error) {
	return refuse[pb.Metrics]()
}
func (unimplemented) MemAgentMemcgSet(context.Context, *pb.MemAgentMemcgConfig) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) MemAgentCompactSet(context.Context, *pb.MemAgentCompactConfig) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) OnlineCPUMem(context.Context, *pb.OnlineCPUMemRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) ReseedRandomDev(context.Context, *pb.ReseedRandomDevRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) GetGuestDetails(context.Context, *pb.GuestDetailsRequest) (*pb.GuestDetailsResponse, error) {
	return refuse[pb.GuestDetailsResponse]()
}
func (unimplemented) MemHotplugByProbe(context.Context, *pb.MemHotplugByProbeRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) SetGuestDateTime(context.Context, *pb.SetGuestDateTimeRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) AddSwap(context.Context, *pb.AddSwapRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) AddSwapPath(context.Context, *pb.AddSwapPathRequest) (*empty, error) {
	return refuse[empty]()
}
func (unimplemented) GetVolumeStats(context.Context, *pb.VolumeStatsRequest) (*pb.VolumeStatsResponse, error) {
	return refuse[pb.VolumeStatsResponse]()
}
func (unimplemented) ResizeVolume(context.Context, *pb.ResizeVolumeRequest) (*empty, error) {
	return refuse[empty]()
}
