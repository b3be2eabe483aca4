// Sockets, before there is a network stack: an application that can reach them links, and is refused when it does.
//
// SO1  System.Diagnostics.Process and System.IO.Pipes reach System.Net.Sockets, so "undefined" would stop programs that
//      never open a socket. The parameters are listed as the class library passes them (ImportTests checks the sizes).
// Context: goroutine. Allocates: exceptions.
using System.Runtime;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Sockets
{
    [RuntimeExport("SystemNative_Accept")]
    internal static int Accept(nint a, byte* b, int* c, nint* d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Bind")]
    internal static int Bind(nint a, int b, byte* c, int d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_CloseSocketEventPort")]
    internal static int CloseSocketEventPort(nint a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Connect")]
    internal static int Connect(nint a, byte* b, int c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Connectx")]
    internal static int Connectx(nint a, byte* b, int c, byte* d, int e, int f, int* g) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_CreateNetworkChangeListenerSocket")]
    internal static int CreateNetworkChangeListenerSocket(nint* a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_CreateSocketEventBuffer")]
    internal static int CreateSocketEventBuffer(int a, void** b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_CreateSocketEventPort")]
    internal static int CreateSocketEventPort(nint* a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Disconnect")]
    internal static int Disconnect(nint a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_EnumerateInterfaceAddresses")]
    internal static int EnumerateInterfaceAddresses(void* a, void* b, void* c, void* d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_FcntlGetFD")]
    internal static int FcntlGetFD(nint a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_FcntlGetIsNonBlocking")]
    internal static int FcntlGetIsNonBlocking(nint a, int* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_FcntlSetIsNonBlocking")]
    internal static int FcntlSetIsNonBlocking(nint a, int b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_FreeHostEntry")]
    internal static void FreeHostEntry(void* a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_FreeSocketEventBuffer")]
    internal static int FreeSocketEventBuffer(void* a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetAddressFamily")]
    internal static int GetAddressFamily(byte* a, int b, int* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetAtOutOfBandMark")]
    internal static int GetAtOutOfBandMark(nint a, int* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetBytesAvailable")]
    internal static int GetBytesAvailable(nint a, int* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetControlMessageBufferSize")]
    internal static int GetControlMessageBufferSize(int a, int b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetDomainName")]
    internal static int GetDomainName(byte* a, int b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetDomainSocketSizes")]
    internal static void GetDomainSocketSizes(int* a, int* b, int* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetHostEntryForName")]
    internal static int GetHostEntryForName(byte* a, int b, void* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetIPv4Address")]
    internal static int GetIPv4Address(byte* a, int b, uint* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetIPv4MulticastOption")]
    internal static int GetIPv4MulticastOption(nint a, int b, void* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetIPv6Address")]
    internal static int GetIPv6Address(byte* a, int b, byte* c, int d, uint* e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetIPv6MulticastOption")]
    internal static int GetIPv6MulticastOption(nint a, int b, void* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetLingerOption")]
    internal static int GetLingerOption(nint a, void* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetMaximumAddressSize")]
    internal static int GetMaximumAddressSize() => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetNameInfo")]
    internal static int GetNameInfo(byte* a, uint b, byte c, byte* d, uint e, byte* f, uint g, int h) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetNetworkInterfaces")]
    internal static int GetNetworkInterfaces(int* a, void** b, int* c, void** d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetPeerName")]
    internal static int GetPeerName(nint a, byte* b, int* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetPort")]
    internal static int GetPort(byte* a, int b, ushort* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetRawSockOpt")]
    internal static int GetRawSockOpt(nint a, int b, int c, byte* d, int* e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetSockName")]
    internal static int GetSockName(nint a, byte* b, int* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetSockOpt")]
    internal static int GetSockOpt(nint a, int b, int c, byte* d, int* e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetSocketAddressSizes")]
    internal static int GetSocketAddressSizes(int* a, int* b, int* c, int* d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetSocketErrorOption")]
    internal static int GetSocketErrorOption(nint a, int* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_GetSocketType")]
    internal static int GetSocketType(nint a, void* b, int* c, int* d, int* e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_InterfaceNameToIndex")]
    internal static uint InterfaceNameToIndex(byte* a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Listen")]
    internal static int Listen(nint a, int b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_MapTcpState")]
    internal static int MapTcpState(int a) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_PlatformSupportsDualModeIPv4PacketInfo")]
    internal static int PlatformSupportsDualModeIPv4PacketInfo() => throw Unsupported.Network();

    [RuntimeExport("SystemNative_ReadEvents")]
    internal static int ReadEvents(nint a, void* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Receive")]
    internal static int Receive(nint a, byte* b, int c, int d, int* e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_ReceiveMessage")]
    internal static int ReceiveMessage(nint a, void* b, int c, long* d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_ReceiveSocketError")]
    internal static int ReceiveSocketError(nint a, void* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Select")]
    internal static int Select(int* a, int b, int* c, int d, int* e, int f, int g, int h, int* i) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Send")]
    internal static int Send(nint a, byte* b, int c, int d, int* e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SendFile")]
    internal static int SendFile(nint a, nint b, long c, long d, long* e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SendMessage")]
    internal static int SendMessage(nint a, void* b, int c, long* d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetAddressFamily")]
    internal static int SetAddressFamily(byte* a, int b, int c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetIPv4Address")]
    internal static int SetIPv4Address(byte* a, int b, uint c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetIPv4MulticastOption")]
    internal static int SetIPv4MulticastOption(nint a, int b, void* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetIPv6Address")]
    internal static int SetIPv6Address(byte* a, int b, byte* c, int d, uint e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetIPv6MulticastOption")]
    internal static int SetIPv6MulticastOption(nint a, int b, void* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetLingerOption")]
    internal static int SetLingerOption(nint a, void* b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetPort")]
    internal static int SetPort(byte* a, int b, ushort c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetRawSockOpt")]
    internal static int SetRawSockOpt(nint a, int b, int c, byte* d, int e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetReceiveTimeout")]
    internal static int SetReceiveTimeout(nint a, int b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetSendTimeout")]
    internal static int SetSendTimeout(nint a, int b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_SetSockOpt")]
    internal static int SetSockOpt(nint a, int b, int c, byte* d, int e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Shutdown")]
    internal static int Shutdown(nint a, int b) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_Socket")]
    internal static int Socket(int a, int b, int c, nint* d) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_TryChangeSocketEventRegistration")]
    internal static int TryChangeSocketEventRegistration(nint a, nint b, int c, int d, nint e) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_TryGetIPPacketInformation")]
    internal static int TryGetIPPacketInformation(void* a, int b, void* c) => throw Unsupported.Network();

    [RuntimeExport("SystemNative_WaitForSocketEvents")]
    internal static int WaitForSocketEvents(nint a, void* b, int* c) => throw Unsupported.Network();
}
