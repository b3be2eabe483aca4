// Puts the static fields of kernel and runtime back to what they were before anything ran.
using System;
using System.Collections.Generic;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;

namespace Unikernel.Tests.Sim.Harness;

internal static unsafe class Statics
{
    private readonly record struct Area(nint Address, int Bytes, byte[] Initial, string Name);

    private static readonly List<Area> s_areas = [];
    private static readonly List<(FieldInfo Field, object? Initial)> s_references = [];

    /// <summary>To be called before the first run.</summary>
    internal static void Remember()
    {
        if (s_areas.Count != 0)
        {
            return;
        }
        foreach (Type type in typeof(Machine).Assembly.GetTypes())
        {
            Remember(type);
        }
        foreach (Type type in typeof(Proc).Assembly.GetTypes())
        {
            Remember(type);
        }
    }

    internal static void Reset()
    {
        foreach (Area a in s_areas)
        {
            a.Initial.CopyTo(new Span<byte>((void*)a.Address, a.Bytes));
        }
        foreach ((FieldInfo field, object? initial) in s_references)
        {
            field.SetValue(null, initial);
        }
    }

    internal static string? NameOf(nint address)
    {
        foreach (Area a in s_areas)
        {
            if (address >= a.Address && address < a.Address + a.Bytes)
            {
                return address == a.Address ? a.Name : a.Name + "+" + (address - a.Address);
            }
        }
        return null;
    }

    private static void Remember(Type type)
    {
        if (type.Namespace == typeof(Simulation).Namespace || type.ContainsGenericParameters
            || type.Namespace?.StartsWith("Unikernel", StringComparison.Ordinal) != true
            || type.IsDefined(typeof(CompilerGeneratedAttribute)))
        {
            return;
        }
        foreach (FieldInfo field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
        {
            if (field.IsLiteral || field.IsInitOnly || field.IsDefined(typeof(ThreadStaticAttribute)))
            {
                continue;
            }
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
            if (IsUnmanaged(field.FieldType))
            {
                (nint address, int bytes) = Locate(field);
                s_areas.Add(new Area(address, bytes, new Span<byte>((void*)address, bytes).ToArray(), type.Name + "." + field.Name));
            }
            else
            {
                s_references.Add((field, field.GetValue(null)));
            }
        }
    }

    private static bool IsUnmanaged(Type type)
    {
        if (type.IsPrimitive || type.IsPointer || type.IsFunctionPointer || type.IsEnum)
        {
            return true;
        }
        if (!type.IsValueType)
        {
            return false;
        }
        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            if (!IsUnmanaged(field.FieldType))
            {
                return false;
            }
        }
        return true;
    }

    // The runtime itself keeps such addresses: CoreCLR does not move statics without references.
    private static (nint Address, int Bytes) Locate(FieldInfo field)
    {
        DynamicMethod method = new("Locate", typeof(nint), [typeof(int).MakeByRefType()], field.Module, true);
        ILGenerator il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Sizeof, field.FieldType.IsPointer || field.FieldType.IsFunctionPointer ? typeof(nint) : field.FieldType);
        il.Emit(OpCodes.Stind_I4);
        il.Emit(OpCodes.Ldsflda, field);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Ret);
        int bytes = 0;
        nint address = method.CreateDelegate<Locator>()(ref bytes);
        return (address, bytes);
    }

    private delegate nint Locator(ref int bytes);
}
